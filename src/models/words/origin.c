/* SPDX-License-Identifier: Apache-2.0 */
/* What a process is and where it comes from, in words. */
#include "words_private.h"

#include "features/table.h"

static void add_own_name(const struct words *words)
{
    const struct rv_process *process = words->process;

    rv_words_name(words,
                  !process          ? NULL
                  : process->script ? process->script
                                    : process->program,
                  "this program");
}

static void add_parent_name(const struct words *words)
{
    const struct rv_process *parent = words->process ? words->process->parent : NULL;

    rv_words_name(words, parent ? parent->program : NULL, "its parent");
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
    rv_words_count(words, words->value[RV_FEATURE_PARENT_CONNECTS], "network connection",
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
    rv_words_odds(words, words->value[RV_FEATURE_PARENT_RARITY]);
}

static void say_grandparent(const struct words *words)
{
    add_own_name(words);
    rv_buf_add_str(words->buf, " seldom runs below what started its parent");
    rv_words_odds(words, words->value[RV_FEATURE_GRANDPARENT_RARITY]);
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
    rv_words_count(words, words->value[RV_FEATURE_CAPS_GAINED], "capability", "capabilities");
    if (words->value[RV_FEATURE_EUID_DIFFERS])
        rv_buf_add_str(words->buf, ", acts as another user");
}

static void say_namespaces(const struct words *words)
{
    rv_buf_add_str(words->buf, "entered or made namespaces of ");
    rv_words_count(words, words->value[RV_FEATURE_NAMESPACES], "kind", "kinds");
}

static void say_owner(const struct words *words)
{
    rv_buf_add_str(words->buf, words->value[RV_FEATURE_EXE_OWNER_ROOT]
                                   ? "its program belongs to root"
                                   : "its program does not belong to root");
}

static void say_package(const struct words *words)
{
    rv_buf_add_str(words->buf, words->value[RV_FEATURE_ANC_PACKAGE]
                                   ? "runs below a package manager"
                                   : "runs below no package manager");
}

static void say_depth(const struct words *words)
{
    rv_buf_add_str(words->buf, "runs ");
    rv_words_count(words, words->value[RV_FEATURE_DEPTH], "generation", "generations");
    rv_buf_add_str(words->buf, " below init, ");
    rv_words_count(words, words->value[RV_FEATURE_ANC_INTERPRETERS], "shell or script",
                   "shells and scripts");
    rv_buf_add_str(words->buf, " among them");
}

static void say_session(const struct words *words)
{
    rv_buf_add_str(words->buf, words->value[RV_FEATURE_SESSION_REMOTE] ? "in a remote session"
                               : words->value[RV_FEATURE_TTY]          ? "at a terminal"
                                                                       : "without a terminal");
}

static void say_age(const struct words *words)
{
    rv_buf_addf(words->buf, "started its program %d s ago", words->value[RV_FEATURE_SINCE_EXEC]);
}

static void say_user(const struct words *words)
{
    static const char *const users[] = { "root", "a system account", "a person",
                                         "a mapped user or nobody" };

    rv_buf_addf(words->buf, "acts as %s",
                users[rv_min_u64((uint64_t)words->value[RV_FEATURE_UID_CLASS], 3)]);
}

static void say_container(const struct words *words)
{
    rv_buf_add_str(words->buf, words->value[RV_FEATURE_CONTAINER] ? "runs in a container"
                                                                  : "runs in no container");
}

static void say_hour(const struct words *words)
{
    static const char *const days[] = { "Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday" };
    uint64_t hour = rv_min_u64((uint64_t)words->value[RV_FEATURE_HOUR_OF_WEEK], 167);

    rv_buf_addf(words->buf, "on %s between %u and %u hours UTC", days[hour / 24],
                (unsigned)(hour % 24), (unsigned)(hour % 24) + 1);
}

rv_words_clause *const rv_words_origin[RV_FEATURE_COUNT] = {
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
    [RV_FEATURE_EXE_OWNER_ROOT] = say_owner,
    [RV_FEATURE_ANC_PACKAGE] = say_package,
    [RV_FEATURE_DEPTH] = say_depth,
    [RV_FEATURE_ANC_INTERPRETERS] = say_depth,
    [RV_FEATURE_SINCE_FORK] = say_age,
    [RV_FEATURE_SINCE_EXEC] = say_age,
    [RV_FEATURE_TTY] = say_session,
    [RV_FEATURE_SESSION_REMOTE] = say_session,
    [RV_FEATURE_UID_CLASS] = say_user,
    [RV_FEATURE_CONTAINER] = say_container,
    [RV_FEATURE_HOUR_OF_WEEK] = say_hour,
};
