/* SPDX-License-Identifier: Apache-2.0 */
/* What a process did, in words. */
#include "words_private.h"

#include "features/table.h"

static void add_span_of_time(const struct words *words)
{
    int32_t seconds = words->value[RV_FEATURE_SINCE_EXEC];

    if (seconds < 1)
        rv_buf_add_str(words->buf, " within 1 s");
    else if (seconds < 600)
        rv_buf_addf(words->buf, " within %d s", seconds + 1);
    else if (seconds < 7200)
        rv_buf_addf(words->buf, " within %d min", seconds / 60 + 1);
    else
        rv_buf_addf(words->buf, " within %d h", seconds / 3600 + 1);
}

static void add_usual(const struct words *words, enum rv_feature feature, const char *verb)
{
    if (words->usual && words->usual[feature] >= 0)
        rv_buf_addf(words->buf, " (this program usually %s %d)", verb, words->usual[feature]);
}

static void say_files(const struct words *words)
{
    rv_buf_add_str(words->buf, "changed ");
    rv_words_count(words, words->value[RV_FEATURE_FILES], "file", "files");
    rv_buf_add_str(words->buf, " in ");
    rv_words_count(words, words->value[RV_FEATURE_DIRS], "directory", "directories");
    add_span_of_time(words);
    add_usual(words, RV_FEATURE_FILES, "changes");
}

static void say_writes(const struct words *words)
{
    rv_buf_add_str(words->buf, "made or opened for writing ");
    rv_words_count(words, words->value[RV_FEATURE_WRITES_SLOW], "file", "files");
    rv_buf_add_str(words->buf, " in the last minute");
    add_usual(words, RV_FEATURE_WRITES_SLOW, "opens");
}

static void say_removals(const struct words *words)
{
    rv_buf_add_str(words->buf, "renamed or removed ");
    rv_words_count(words, words->value[RV_FEATURE_REMOVALS_SLOW], "file", "files");
    rv_buf_add_str(words->buf, " in the last minute");
    add_usual(words, RV_FEATURE_REMOVALS_SLOW, "renames or removes");
}

static void say_spawns(const struct words *words)
{
    rv_buf_add_str(words->buf, "started ");
    rv_words_count(words, words->value[RV_FEATURE_SPAWNS_SLOW], "process or program",
                   "processes and programs");
    rv_buf_add_str(words->buf, " in the last minute");
    add_usual(words, RV_FEATURE_SPAWNS_SLOW, "starts");
}

static void say_connects(const struct words *words)
{
    rv_buf_add_str(words->buf, "opened ");
    rv_words_count(words, words->value[RV_FEATURE_CONNECTS], "connection", "connections");
    rv_buf_add_str(words->buf, " to ");
    rv_words_count(words, words->value[RV_FEATURE_ADDRESSES], "address", "addresses");
    rv_buf_add_str(words->buf, " and ");
    rv_words_count(words, words->value[RV_FEATURE_PORTS], "port", "ports");
    add_usual(words, RV_FEATURE_CONNECTS_SLOW, "opens");
}

static void say_strange(const struct words *words)
{
    rv_buf_add_str(words->buf, "gave ");
    rv_words_count(words, words->value[RV_FEATURE_STRANGE_EXT], "file an", "files the same");
    rv_buf_add_str(words->buf, " extension that this host does not know");
}

static void say_ext_changes(const struct words *words)
{
    rv_buf_add_str(words->buf, "changed the extension of ");
    rv_words_count(words, words->value[RV_FEATURE_EXT_CHANGES], "file", "files");
}

static void say_replaced(const struct words *words)
{
    rv_buf_add_str(words->buf, "wrote stand-ins for ");
    rv_words_count(words, words->value[RV_FEATURE_REPLACED], "file and removed it",
                   "files and removed them");
}

static void say_foreign(const struct words *words)
{
    rv_buf_add_str(words->buf, "rewrote ");
    rv_words_count(words, words->value[RV_FEATURE_FOREIGN_WRITES], "file", "files");
    rv_buf_add_str(words->buf, " that it had not made");
}

static void say_random(const struct words *words)
{
    rv_buf_add_str(words->buf, "wrote what looks encrypted over ");
    rv_words_count(words, words->value[RV_FEATURE_RANDOM_WRITES], "file", "files");
}

static void say_persist(const struct words *words)
{
    rv_buf_add_str(words->buf, "changed ");
    rv_words_count(words, words->value[RV_FEATURE_PERSIST_WRITES], "place", "places");
    rv_buf_add_str(words->buf, " that start programs or let people in");
}

static void say_wipes(const struct words *words)
{
    rv_buf_add_str(words->buf, "cut, removed or renamed ");
    rv_words_count(words, words->value[RV_FEATURE_LOG_WIPES], "log", "logs");
}

static void say_watched(const struct words *words)
{
    rv_buf_add_str(words->buf, "read ");
    rv_words_count(words, words->value[RV_FEATURE_WATCHED_READS], "file", "files");
    rv_buf_add_str(words->buf, " that the policy watches");
}

static void say_memory(const struct words *words)
{
    rv_buf_add_str(words->buf, "made memory executable ");
    rv_words_count(words, words->value[RV_FEATURE_MEMORY_EXECS], "time", "times");
}

static void say_ptrace(const struct words *words)
{
    rv_buf_add_str(words->buf, "attached to other processes ");
    rv_words_count(words, words->value[RV_FEATURE_PTRACES], "time", "times");
}

static void say_kernel(const struct words *words)
{
    rv_buf_add_str(words->buf, "loaded code into the kernel ");
    rv_words_count(words, words->value[RV_FEATURE_KERNEL_LOADS], "time", "times");
}

static void say_binds(const struct words *words)
{
    rv_buf_add_str(words->buf, "took or listens on ");
    rv_words_count(words, words->value[RV_FEATURE_BINDS], "local address", "local addresses");
}

static void say_beacon(const struct words *words)
{
    rv_buf_add_str(words->buf, "connects at regular intervals");
}

static void say_sequence(const struct words *words)
{
    rv_buf_addf(words->buf,
                "%d of its sequences of calls are unknown for its kind, %d of 64 in a row",
                words->value[RV_FEATURE_NGRAM_MISSES], words->value[RV_FEATURE_NGRAM_WINDOW_MAX]);
}

static void say_new_net(const struct words *words)
{
    rv_buf_add_str(words->buf, "connected to ");
    rv_words_count(words, words->value[RV_FEATURE_NEW_NET], "network", "networks");
    rv_buf_add_str(words->buf, " and ");
    rv_words_count(words, words->value[RV_FEATURE_NEW_PORT], "port", "ports");
    rv_buf_add_str(words->buf, " new to this program");
}

static void say_new_dir(const struct words *words)
{
    rv_buf_add_str(words->buf, "changed files in ");
    rv_words_count(words, words->value[RV_FEATURE_NEW_DIR], "place", "places");
    rv_buf_add_str(words->buf, " new to this program");
}

static void say_new_child(const struct words *words)
{
    rv_buf_add_str(words->buf, "started ");
    rv_words_count(words, words->value[RV_FEATURE_NEW_CHILD], "program", "programs");
    rv_buf_add_str(words->buf, " that it had never started here");
}

static void say_new_action(const struct words *words)
{
    rv_buf_add_str(words->buf, "did ");
    rv_words_count(words, words->value[RV_FEATURE_NEW_ACTION], "kind of thing", "kinds of things");
    rv_buf_add_str(words->buf, " that this program had never done here");
}

static void say_edge(const struct words *words)
{
    rv_buf_add_str(words->buf, "touched something that this program seldom touches");
    rv_words_odds(words, words->value[RV_FEATURE_EDGE_RARITY]);
}

static void say_all(const struct words *words)
{
    rv_buf_add_str(words->buf, "did ");
    rv_words_count(words, words->value[RV_FEATURE_ALL_SLOW], "watched thing", "watched things");
    rv_buf_addf(words->buf, " in the last minute, %d of them in the last second",
                words->value[RV_FEATURE_ALL_FAST]);
}

static void say_mixture(const struct words *words)
{
    rv_buf_add_str(words->buf, "does ");
    rv_words_count(words, words->value[RV_FEATURE_CALL_KINDS], "kind of thing", "kinds of things");
    rv_buf_addf(words->buf, " in an unusual mixture, up to %d alike in a row",
                words->value[RV_FEATURE_LONGEST_RUN]);
}

static void say_links(const struct words *words)
{
    rv_buf_add_str(words->buf, "made ");
    rv_words_count(words, words->value[RV_FEATURE_LINKS], "link", "links");
}

static void say_attrs(const struct words *words)
{
    rv_buf_add_str(words->buf, "changed the mode or owner of files ");
    rv_words_count(words, words->value[RV_FEATURE_ATTRS], "time", "times");
}

static void say_truncates(const struct words *words)
{
    rv_buf_add_str(words->buf, "cut ");
    rv_words_count(words, words->value[RV_FEATURE_TRUNCATES], "file", "files");
}

static void say_signals(const struct words *words)
{
    rv_buf_add_str(words->buf, "sent ");
    rv_words_count(words, words->value[RV_FEATURE_SIGNALS], "signal", "signals");
    rv_buf_add_str(words->buf, " to processes that it had not started");
}

static void say_gap(const struct words *words)
{
    uint64_t ns = 1ULL << rv_min_u64((uint64_t)words->value[RV_FEATURE_GAP] / 16, 62);

    if (ns < 10000000)
        rv_buf_addf(words->buf, "acts about every %llu us", (unsigned long long)ns / 1000);
    else
        rv_buf_addf(words->buf, "acts about every %llu ms", (unsigned long long)ns / 1000000);
}

rv_words_clause *const rv_words_conduct[RV_FEATURE_COUNT] = {
    [RV_FEATURE_WATCHED_READS] = say_watched,
    [RV_FEATURE_OPENS_WRITE] = say_writes,
    [RV_FEATURE_CREATES] = say_writes,
    [RV_FEATURE_RENAMES] = say_removals,
    [RV_FEATURE_UNLINKS] = say_removals,
    [RV_FEATURE_MEMORY_EXECS] = say_memory,
    [RV_FEATURE_PTRACES] = say_ptrace,
    [RV_FEATURE_CONNECTS] = say_connects,
    [RV_FEATURE_BINDS] = say_binds,
    [RV_FEATURE_ACCEPTS] = say_binds,
    [RV_FEATURE_KERNEL_LOADS] = say_kernel,
    [RV_FEATURE_WRITES_FAST] = say_writes,
    [RV_FEATURE_WRITES_SLOW] = say_writes,
    [RV_FEATURE_REMOVALS_FAST] = say_removals,
    [RV_FEATURE_REMOVALS_SLOW] = say_removals,
    [RV_FEATURE_CONNECTS_FAST] = say_connects,
    [RV_FEATURE_CONNECTS_SLOW] = say_connects,
    [RV_FEATURE_FORKS] = say_spawns,
    [RV_FEATURE_EXECS] = say_spawns,
    [RV_FEATURE_SPAWNS_FAST] = say_spawns,
    [RV_FEATURE_SPAWNS_SLOW] = say_spawns,
    [RV_FEATURE_NGRAM_MISSES] = say_sequence,
    [RV_FEATURE_NGRAM_WINDOW] = say_sequence,
    [RV_FEATURE_NGRAM_WINDOW_MAX] = say_sequence,
    [RV_FEATURE_FILES] = say_files,
    [RV_FEATURE_DIRS] = say_files,
    [RV_FEATURE_ADDRESSES] = say_connects,
    [RV_FEATURE_PORTS] = say_connects,
    [RV_FEATURE_PROGRAMS] = say_spawns,
    [RV_FEATURE_NEW_NET] = say_new_net,
    [RV_FEATURE_NEW_PORT] = say_new_net,
    [RV_FEATURE_NEW_DIR] = say_new_dir,
    [RV_FEATURE_NEW_CHILD] = say_new_child,
    [RV_FEATURE_NEW_ACTION] = say_new_action,
    [RV_FEATURE_FOREIGN_WRITES] = say_foreign,
    [RV_FEATURE_REPLACED] = say_replaced,
    [RV_FEATURE_EXT_CHANGES] = say_ext_changes,
    [RV_FEATURE_STRANGE_EXT] = say_strange,
    [RV_FEATURE_PERSIST_WRITES] = say_persist,
    [RV_FEATURE_LOG_WIPES] = say_wipes,
    [RV_FEATURE_RANDOM_WRITES] = say_random,
    [RV_FEATURE_EXCESS_FILES] = say_files,
    [RV_FEATURE_EXCESS_WRITES] = say_writes,
    [RV_FEATURE_EXCESS_REMOVALS] = say_removals,
    [RV_FEATURE_EXCESS_SPAWNS] = say_spawns,
    [RV_FEATURE_EXCESS_CONNECTS] = say_connects,
    [RV_FEATURE_BEACON] = say_beacon,
    [RV_FEATURE_EDGE_RARITY] = say_edge,
    [RV_FEATURE_ALL_FAST] = say_all,
    [RV_FEATURE_ALL_SLOW] = say_all,
    [RV_FEATURE_CALL_ENTROPY] = say_mixture,
    [RV_FEATURE_LONGEST_RUN] = say_mixture,
    [RV_FEATURE_CALL_KINDS] = say_mixture,
    [RV_FEATURE_LINKS] = say_links,
    [RV_FEATURE_ATTRS] = say_attrs,
    [RV_FEATURE_TRUNCATES] = say_truncates,
    [RV_FEATURE_SIGNALS] = say_signals,
    [RV_FEATURE_GAP] = say_gap,
};
