/* SPDX-License-Identifier: Apache-2.0 */
#include "models/words.h"

#include "features/table.h"

#define NAME_MAX_BYTES 80U

struct words {
    struct rv_buf *buf;
    const struct rv_process *process;
    const int32_t *value, *usual; /* usual may be NULL */
};

void rv_words_untrusted(struct rv_buf *buf, struct rv_span text, size_t len_max)
{
    size_t len = rv_min_u64(text.len, len_max);

    for (size_t i = 0; i < len; i++) {
        uint8_t c = text.data[i];

        if (c >= ' ' && c <= '~' && c != '\\')
            rv_buf_add_char(buf, (char)c);
        else
            rv_buf_addf(buf, "\\x%02x", c);
    }
    if (len < text.len)
        rv_buf_add_str(buf, "...");
}

/* ---- Pieces ---- */

static void add_name(const struct words *words, const struct rv_executable *program,
                     const char *instead)
{
    if (program && program->path_len > 0)
        rv_words_untrusted(words->buf, rv_span(program->path, program->path_len), NAME_MAX_BYTES);
    else
        rv_buf_add_str(words->buf, instead);
}

static void add_own_name(const struct words *words)
{
    const struct rv_process *process = words->process;

    add_name(words,
             !process          ? NULL
             : process->script ? process->script
                               : process->program,
             "this program");
}

static void add_parent_name(const struct words *words)
{
    const struct rv_process *parent = words->process ? words->process->parent : NULL;

    add_name(words, parent ? parent->program : NULL, "its parent");
}

static void add_count(const struct words *words, int32_t count, const char *one, const char *many)
{
    rv_buf_addf(words->buf, "%d %s", count, count == 1 ? one : many);
}

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

/* Rarity in 1/16 bit as "about 1 in N". */
static void add_odds(const struct words *words, int32_t rarity_q4)
{
    rv_buf_addf(words->buf, " (about 1 in %llu)", 1ULL << rv_min_u64((uint64_t)rarity_q4 / 16, 40));
}

/* ---- Clauses ---- */

static void say_files(const struct words *words)
{
    rv_buf_add_str(words->buf, "changed ");
    add_count(words, words->value[RV_FEATURE_FILES], "file", "files");
    rv_buf_add_str(words->buf, " in ");
    add_count(words, words->value[RV_FEATURE_DIRS], "directory", "directories");
    add_span_of_time(words);
    add_usual(words, RV_FEATURE_FILES, "changes");
}

static void say_writes(const struct words *words)
{
    rv_buf_add_str(words->buf, "made or opened for writing ");
    add_count(words, words->value[RV_FEATURE_WRITES_SLOW], "file", "files");
    rv_buf_add_str(words->buf, " in the last minute");
    add_usual(words, RV_FEATURE_WRITES_SLOW, "opens");
}

static void say_removals(const struct words *words)
{
    rv_buf_add_str(words->buf, "renamed or removed ");
    add_count(words, words->value[RV_FEATURE_REMOVALS_SLOW], "file", "files");
    rv_buf_add_str(words->buf, " in the last minute");
    add_usual(words, RV_FEATURE_REMOVALS_SLOW, "renames or removes");
}

static void say_spawns(const struct words *words)
{
    rv_buf_add_str(words->buf, "started ");
    add_count(words, words->value[RV_FEATURE_SPAWNS_SLOW], "process or program",
              "processes and programs");
    rv_buf_add_str(words->buf, " in the last minute");
    add_usual(words, RV_FEATURE_SPAWNS_SLOW, "starts");
}

static void say_connects(const struct words *words)
{
    rv_buf_add_str(words->buf, "opened ");
    add_count(words, words->value[RV_FEATURE_CONNECTS], "connection", "connections");
    rv_buf_add_str(words->buf, " to ");
    add_count(words, words->value[RV_FEATURE_ADDRESSES], "address", "addresses");
    rv_buf_add_str(words->buf, " and ");
    add_count(words, words->value[RV_FEATURE_PORTS], "port", "ports");
    add_usual(words, RV_FEATURE_CONNECTS_SLOW, "opens");
}

static void say_strange(const struct words *words)
{
    rv_buf_add_str(words->buf, "gave ");
    add_count(words, words->value[RV_FEATURE_STRANGE_EXT], "file an", "files the same");
    rv_buf_add_str(words->buf, " extension that this host does not know");
}

static void say_ext_changes(const struct words *words)
{
    rv_buf_add_str(words->buf, "changed the extension of ");
    add_count(words, words->value[RV_FEATURE_EXT_CHANGES], "file", "files");
}

static void say_replaced(const struct words *words)
{
    rv_buf_add_str(words->buf, "wrote stand-ins for ");
    add_count(words, words->value[RV_FEATURE_REPLACED], "file and removed it",
              "files and removed them");
}

static void say_foreign(const struct words *words)
{
    rv_buf_add_str(words->buf, "rewrote ");
    add_count(words, words->value[RV_FEATURE_FOREIGN_WRITES], "file", "files");
    rv_buf_add_str(words->buf, " that it had not made");
}

static void say_random(const struct words *words)
{
    rv_buf_add_str(words->buf, "wrote what looks encrypted over ");
    add_count(words, words->value[RV_FEATURE_RANDOM_WRITES], "file", "files");
}

static void say_persist(const struct words *words)
{
    rv_buf_add_str(words->buf, "changed ");
    add_count(words, words->value[RV_FEATURE_PERSIST_WRITES], "place", "places");
    rv_buf_add_str(words->buf, " that start programs or let people in");
}

static void say_wipes(const struct words *words)
{
    rv_buf_add_str(words->buf, "cut, removed or renamed ");
    add_count(words, words->value[RV_FEATURE_LOG_WIPES], "log", "logs");
}

static void say_watched(const struct words *words)
{
    rv_buf_add_str(words->buf, "read ");
    add_count(words, words->value[RV_FEATURE_WATCHED_READS], "file", "files");
    rv_buf_add_str(words->buf, " that the policy watches");
}

static void say_place(const struct words *words)
{
    add_own_name(words);
    if (words->value[RV_FEATURE_EXE_FILELESS] ||
        words->value[RV_FEATURE_EXE_PATH_CLASS] == RV_PATH_MEMORY)
        rv_buf_add_str(words->buf, " is on no file system: it runs from memory or was removed");
    else if (words->value[RV_FEATURE_EXE_PATH_CLASS] == RV_PATH_SCRATCH)
        rv_buf_add_str(words->buf, " runs from a scratch folder");
    else if (words->value[RV_FEATURE_EXE_PATH_CLASS] == RV_PATH_HOME)
        rv_buf_add_str(words->buf, " runs from a home directory");
    else
        rv_buf_add_str(words->buf, " lies where programs seldom do");
}

static void say_new_program(const struct words *words)
{
    add_own_name(words);
    if (words->value[RV_FEATURE_EXE_RUNS] == 0)
        rv_buf_add_str(words->buf, " runs for the first time on this host");
    else
        rv_buf_add_str(words->buf, " is seldom run on this host");
}

static void say_file_age(const struct words *words)
{
    rv_buf_addf(words->buf, "its program was written less than %llu s before it started",
                2ULL << words->value[RV_FEATURE_EXE_FILE_AGE]);
}

static void say_writable(const struct words *words)
{
    rv_buf_add_str(words->buf, "group or others may write its program");
}

static void say_parent_connects(const struct words *words)
{
    rv_buf_add_str(words->buf, "what started it had opened ");
    add_count(words, words->value[RV_FEATURE_PARENT_CONNECTS], "network connection",
              "network connections");
    if (words->value[RV_FEATURE_EXE_KIND] == RV_KIND_SHELL &&
        words->value[RV_FEATURE_ARGV_LEN] <= 12)
        rv_buf_add_str(words->buf, ", and it is a shell without a command");
}

static void say_preload(const struct words *words)
{
    rv_buf_add_str(words->buf, "started with LD_PRELOAD, LD_AUDIT or LD_LIBRARY_PATH");
}

static void say_hidden(const struct words *words)
{
    rv_buf_add_str(words->buf, "its program lies in a hidden place");
}

static void say_arguments(const struct words *words)
{
    rv_buf_add_str(words->buf, "its arguments");
    if (words->value[RV_FEATURE_ARGV_B64_RUN] >= 40)
        rv_buf_addf(words->buf, " hold %d characters that look like base64,",
                    words->value[RV_FEATURE_ARGV_B64_RUN]);
    if (words->value[RV_FEATURE_ARGV_NET] > 0)
        rv_buf_add_str(words->buf, " name the network,");
    if (words->value[RV_FEATURE_ARGV_META] >= 3)
        rv_buf_addf(words->buf, " hold %d shell characters,", words->value[RV_FEATURE_ARGV_META]);
    if (words->value[RV_FEATURE_ARGV_RARITY] >= 64)
        rv_buf_add_str(words->buf, " have an unusual shape,");
    rv_buf_addf(words->buf, " are %d bytes long", words->value[RV_FEATURE_ARGV_LEN]);
}

static void say_parent(const struct words *words)
{
    add_parent_name(words);
    rv_buf_add_str(words->buf, " seldom starts ");
    add_own_name(words);
    add_odds(words, words->value[RV_FEATURE_PARENT_RARITY]);
}

static void say_grandparent(const struct words *words)
{
    add_own_name(words);
    rv_buf_add_str(words->buf, " seldom runs below what started its parent");
    add_odds(words, words->value[RV_FEATURE_GRANDPARENT_RARITY]);
}

static void say_server(const struct words *words)
{
    int generations = 8 - words->value[RV_FEATURE_ANC_SERVER];
    enum rv_program_kind kind =
        (enum rv_program_kind)rv_min_u64((uint64_t)words->value[RV_FEATURE_EXE_KIND], 15);

    rv_buf_addf(words->buf, "a program of kind %s that ", rv_program_kind_name(kind));
    if (generations == 0)
        rv_buf_add_str(words->buf, "a network server started");
    else
        rv_buf_addf(words->buf, "runs %d generations below a network server", generations + 1);
}

static void say_kind(const struct words *words)
{
    if (words->value[RV_FEATURE_ANC_SERVER] > 0) {
        say_server(words);
        return;
    }
    rv_buf_addf(words->buf, "unusual for a program of kind %s",
                rv_program_kind_name((enum rv_program_kind)rv_min_u64(
                    (uint64_t)words->value[RV_FEATURE_EXE_KIND], 15)));
}

static void say_risk(const struct words *words)
{
    rv_buf_addf(words->buf, "an ancestor reached risk %d before",
                words->value[RV_FEATURE_ANC_RISK]);
}

static void say_scratch_ancestor(const struct words *words)
{
    rv_buf_add_str(words->buf,
                   "one of its nearest ancestors ran from a scratch folder or from memory");
}

static void say_privilege(const struct words *words)
{
    rv_buf_add_str(words->buf, "gained ");
    add_count(words, words->value[RV_FEATURE_CAPS_GAINED], "capability", "capabilities");
    if (words->value[RV_FEATURE_EUID_DIFFERS])
        rv_buf_add_str(words->buf, ", acts as another user");
}

static void say_namespaces(const struct words *words)
{
    rv_buf_add_str(words->buf, "entered or made namespaces of ");
    add_count(words, words->value[RV_FEATURE_NAMESPACES], "kind", "kinds");
}

static void say_memory(const struct words *words)
{
    rv_buf_add_str(words->buf, "made memory executable ");
    add_count(words, words->value[RV_FEATURE_MEMORY_EXECS], "time", "times");
}

static void say_ptrace(const struct words *words)
{
    rv_buf_add_str(words->buf, "attached to other processes ");
    add_count(words, words->value[RV_FEATURE_PTRACES], "time", "times");
}

static void say_kernel(const struct words *words)
{
    rv_buf_add_str(words->buf, "loaded code into the kernel ");
    add_count(words, words->value[RV_FEATURE_KERNEL_LOADS], "time", "times");
}

static void say_binds(const struct words *words)
{
    rv_buf_add_str(words->buf, "took or listens on ");
    add_count(words, words->value[RV_FEATURE_BINDS], "local address", "local addresses");
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
    add_count(words, words->value[RV_FEATURE_NEW_NET], "network", "networks");
    rv_buf_add_str(words->buf, " and ");
    add_count(words, words->value[RV_FEATURE_NEW_PORT], "port", "ports");
    rv_buf_add_str(words->buf, " new to this program");
}

static void say_new_dir(const struct words *words)
{
    rv_buf_add_str(words->buf, "changed files in ");
    add_count(words, words->value[RV_FEATURE_NEW_DIR], "place", "places");
    rv_buf_add_str(words->buf, " new to this program");
}

static void say_new_child(const struct words *words)
{
    rv_buf_add_str(words->buf, "started ");
    add_count(words, words->value[RV_FEATURE_NEW_CHILD], "program", "programs");
    rv_buf_add_str(words->buf, " that it had never started here");
}

static void say_new_action(const struct words *words)
{
    rv_buf_add_str(words->buf, "did ");
    add_count(words, words->value[RV_FEATURE_NEW_ACTION], "kind of thing", "kinds of things");
    rv_buf_add_str(words->buf, " that this program had never done here");
}

static void say_edge(const struct words *words)
{
    rv_buf_add_str(words->buf, "touched something that this program seldom touches");
    add_odds(words, words->value[RV_FEATURE_EDGE_RARITY]);
}

/* Features with the same clause say the same thing: it is said once. */
static void (*const clauses[RV_FEATURE_COUNT])(const struct words *words) = {
    [RV_FEATURE_EXE_AGE] = say_new_program,
    [RV_FEATURE_EXE_RUNS] = say_new_program,
    [RV_FEATURE_EXE_PATH_CLASS] = say_place,
    [RV_FEATURE_EXE_FILE_AGE] = say_file_age,
    [RV_FEATURE_EXE_WRITABLE] = say_writable,
    [RV_FEATURE_EXE_FILELESS] = say_place,
    [RV_FEATURE_PARENT_CONNECTS] = say_parent_connects,
    [RV_FEATURE_EXE_PRELOAD] = say_preload,
    [RV_FEATURE_EXE_HIDDEN] = say_hidden,
    [RV_FEATURE_EXE_KIND] = say_kind,
    [RV_FEATURE_ARGV_LEN] = say_arguments,
    [RV_FEATURE_ARGV_ENTROPY] = say_arguments,
    [RV_FEATURE_ARGV_META] = say_arguments,
    [RV_FEATURE_ARGV_B64_RUN] = say_arguments,
    [RV_FEATURE_ARGV_NET] = say_arguments,
    [RV_FEATURE_ARGV_RARITY] = say_arguments,
    [RV_FEATURE_PARENT_RARITY] = say_parent,
    [RV_FEATURE_GRANDPARENT_RARITY] = say_grandparent,
    [RV_FEATURE_PARENT_KIND] = say_parent,
    [RV_FEATURE_ANC_SERVER] = say_kind,
    [RV_FEATURE_ANC_RISK] = say_risk,
    [RV_FEATURE_ANC_SCRATCH] = say_scratch_ancestor,
    [RV_FEATURE_EUID_DIFFERS] = say_privilege,
    [RV_FEATURE_CAPS_GAINED] = say_privilege,
    [RV_FEATURE_CRED_CHANGES] = say_privilege,
    [RV_FEATURE_NAMESPACES] = say_namespaces,
    [RV_FEATURE_MOUNTS] = say_namespaces,
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
};

static struct words words_of(struct rv_buf *buf, const struct rv_words_input *input)
{
    return (struct words){ buf, input->process, input->vector->value,
                           input->usual ? input->usual->value : NULL };
}

void rv_words_feature(struct rv_buf *buf, const struct rv_words_input *input, size_t feature)
{
    struct words words = words_of(buf, input);

    assert(feature < RV_FEATURE_COUNT);
    if (clauses[feature])
        clauses[feature](&words);
    else
        rv_buf_addf(buf, "%s is %d", rv_feature_info(feature)->name, words.value[feature]);
}

/* The loudest feature that has not been said, or RV_FEATURE_COUNT. */
static size_t loudest(const struct rv_words_input *input, const bool *said)
{
    size_t best = RV_FEATURE_COUNT;

    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        if (said[i] || input->attribution_q16[i] <= 0)
            continue;
        if (best == RV_FEATURE_COUNT || input->attribution_q16[i] > input->attribution_q16[best])
            best = i;
    }
    return best;
}

void rv_words_reasons(struct rv_buf *buf, const struct rv_words_input *input, size_t clause_max)
{
    bool said[RV_FEATURE_COUNT] = { false };

    for (size_t count = 0; count < clause_max; count++) {
        size_t feature = loudest(input, said);

        if (feature == RV_FEATURE_COUNT) {
            if (count == 0)
                rv_buf_add_str(buf, "nothing stands out");
            return;
        }
        if (count > 0)
            rv_buf_add_str(buf, "; ");
        rv_words_feature(buf, input, feature);
        said[feature] = true;
        for (size_t i = 0; i < RV_FEATURE_COUNT; i++)
            said[i] |= clauses[feature] && clauses[i] == clauses[feature];
    }
}
