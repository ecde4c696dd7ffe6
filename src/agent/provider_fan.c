/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanotify as the enforcer sees it. Openers wait for answers, so two threads of their own serve
 * them whatever the guard is busy with: one answers the kernel, one takes the judge's answers in.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "channel.h"
#include "enforce/fan.h"
#include "programs.h"
#include "provider_private.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct fan_provider {
    const struct rv_agent_config *config;
    struct rv_fan *fan;
    pthread_t answering, listening;
    bool answering_runs, listening_runs;
    int wake_fd; /* an eventfd: the listener looks at what changed */
    pthread_mutex_t lock;
    int ask_fd; /* under the lock: a duplicate of the judge's socket; -1: nobody to ask */
    bool ending;
    struct rv_fan_scope *scopes;
};

/* ---- The two threads ---- */

static int ask(void *context, const struct rv_fan_question *question)
{
    struct fan_provider *provider = context;
    ssize_t n = -1;

    pthread_mutex_lock(&provider->lock);
    errno = ENOTCONN;
    if (provider->ask_fd >= 0)
        n = send(provider->ask_fd, question, sizeof(*question), MSG_DONTWAIT | MSG_NOSIGNAL);
    pthread_mutex_unlock(&provider->lock);
    return n < 0 ? -errno : 0;
}

static void *answer_kernel(void *context)
{
    struct fan_provider *provider = context;
    int r = rv_fan_run(provider->fan);

    if (r < 0)
        rv_error("questions of the kernel are no longer answered: %s", strerror(-r));
    return NULL;
}

/** Take in what the judge answered. @return false: it has gone. */
static bool take_answers(struct fan_provider *provider, int fd)
{
    struct rv_channel_answer answer;
    ssize_t n;

    while ((n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT)) == (ssize_t)sizeof(answer)) {
        /* -ENOENT: it was too late; the default was applied and recorded. */
        int r = rv_fan_answer(provider->fan, answer.id, (enum rv_fan_verdict)answer.verdict,
                              answer.flags);

        if (r < 0 && r != -ENOENT)
            rv_debug("an answer of the judge was not taken: %s", strerror(-r));
    }
    return n < 0 && errno == EAGAIN;
}

static void *listen_to_judge(void *context)
{
    struct fan_provider *provider = context;

    for (;;) {
        struct pollfd fds[] = { { provider->wake_fd, POLLIN, 0 }, { -1, POLLIN, 0 } };
        uint64_t woken;

        pthread_mutex_lock(&provider->lock);
        if (provider->ending) {
            pthread_mutex_unlock(&provider->lock);
            return NULL;
        }
        fds[1].fd = provider->ask_fd < 0 ? -1 : fcntl(provider->ask_fd, F_DUPFD_CLOEXEC, 3);
        pthread_mutex_unlock(&provider->lock);
        while (poll(fds, RV_COUNT(fds), -1) >= 0 && !fds[0].revents) {
            if (fds[1].revents && !take_answers(provider, fds[1].fd)) {
                rv_closep(&fds[1].fd); /* until the next judge */
                fds[1].fd = -1;
            }
        }
        rv_closep(&fds[1].fd);
        if (read(provider->wake_fd, &woken, sizeof(woken)) < 0 && errno != EAGAIN)
            return NULL;
    }
}

static void wake(struct fan_provider *provider)
{
    static const uint64_t one = 1;

    if (write(provider->wake_fd, &one, sizeof(one)) < 0)
        rv_debug("the listener could not be woken");
}

/** Threads take no signals: those are the guard's loop's. */
static int start_threads(struct fan_provider *provider)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&provider->answering, NULL, answer_kernel, provider);
    provider->answering_runs = r == 0;
    if (r == 0) {
        r = -pthread_create(&provider->listening, NULL, listen_to_judge, provider);
        provider->listening_runs = r == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

/* ---- Scopes and kinds ---- */

static int know(void *context, const char *path, uint32_t kind)
{
    int r = rv_fan_know_program(context, path, kind);

    return r == -ENOENT ? 0 : r; /* a link to nothing */
}

static bool is_listed(const struct rv_config_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (rv_streq(list->items[i], name) || rv_streq(list->items[i], "host"))
            return true;
    }
    return false;
}

/** inline.scope: a folder (and all below) where it ends in a slash, else a file. */
static int make_scopes(struct fan_provider *provider)
{
    const struct rv_config_list *paths = &provider->config->inline_scope;
    bool closed = is_listed(&provider->config->fail_deadline, "file");

    if (paths->count > RV_FAN_SCOPES_MAX) {
        rv_error("at most %d paths can be given as inline.scope", RV_FAN_SCOPES_MAX);
        return -E2BIG;
    }
    provider->scopes = calloc(paths->count + 1, sizeof(*provider->scopes));
    if (!provider->scopes)
        return -ENOMEM;
    for (size_t i = 0; i < paths->count; i++) {
        size_t len = strlen(paths->items[i]);

        provider->scopes[i] = (struct rv_fan_scope){
            .path = paths->items[i],
            .kind = len > 1 && paths->items[i][len - 1] == '/' ? RV_FAN_TREE : RV_FAN_FILE,
            .actions = RV_DO_EXEC | RV_DO_READ | RV_DO_WRITE,
            .lapse = closed ? RV_LAPSE_CLOSED : RV_LAPSE_OPEN,
            .ask = true,
        };
    }
    return 0;
}

/* ---- Life ---- */

static void close_fan(void *handle)
{
    struct fan_provider *provider = handle;

    pthread_mutex_lock(&provider->lock);
    provider->ending = true;
    pthread_mutex_unlock(&provider->lock);
    if (provider->fan)
        rv_fan_stop(provider->fan);
    if (provider->wake_fd >= 0)
        wake(provider);
    if (provider->answering_runs)
        (void)pthread_join(provider->answering, NULL);
    if (provider->listening_runs)
        (void)pthread_join(provider->listening, NULL);
    rv_fan_close(&provider->fan);
    rv_closep(&provider->ask_fd);
    rv_closep(&provider->wake_fd);
    (void)pthread_mutex_destroy(&provider->lock);
    free(provider->scopes);
    free(provider);
}

static int open_fan(void **ret_handle, const struct rv_provider_options *options)
{
    struct fan_provider *provider = calloc(1, sizeof(*provider));
    struct rv_fan_options fan = { .ask = ask, .context = provider };
    int r;

    if (!provider)
        return -ENOMEM;
    provider->config = options->config;
    provider->ask_fd = -1;
    (void)pthread_mutex_init(&provider->lock, NULL);
    provider->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = provider->wake_fd < 0 ? -errno : 0;
    if (r == 0)
        r = make_scopes(provider);
    if (r == 0)
        r = rv_fan_open(&provider->fan, &fan);
    if (r == 0)
        r = rv_programs_scan(know, provider->fan);
    for (size_t i = 0; r == 0 && i < options->config->protect.count; i++)
        r = rv_fan_protect(provider->fan, options->config->protect.items[i]);
    if (r == 0)
        r = start_threads(provider);
    if (r < 0) {
        close_fan(provider);
        return r;
    }
    *ret_handle = provider;
    return 0;
}

static int swap(void *handle, const struct rv_rule *rules, size_t count,
                const struct rv_rule_settings *settings, uint64_t *ret_carried, size_t *reterr_rule)
{
    struct fan_provider *provider = handle;
    struct rv_fan_set set = {
        .rules = rules,
        .rule_count = count,
        .scopes = provider->scopes,
        .scope_count = count ? provider->config->inline_scope.count : 0,
        .settings = *settings,
        .deadline_ns = provider->config->inline_deadline_ms * RV_NS_PER_MS,
    };
    struct rv_fan_taken taken = { 0 };
    int r = rv_fan_swap(provider->fan, &set, &taken);

    if (r < 0)
        *reterr_rule = taken.failed_rule == SIZE_MAX ? 0 : taken.failed_rule;
    else
        *ret_carried = taken.carried;
    if (r == 0 && taken.incomplete)
        rv_warning("a folder of inline.scope is too large or too deep to be marked as a whole");
    return r;
}

static int renew(void *handle, uint64_t ms)
{
    rv_fan_renew(((struct fan_provider *)handle)->fan, ms);
    return 0;
}

static int observe(void *handle, bool on)
{
    return rv_fan_observe(((struct fan_provider *)handle)->fan, on);
}

static int grant(void *handle, const struct rv_grant *what)
{
    return rv_fan_grant(((struct fan_provider *)handle)->fan, what);
}

static int protect(void *handle, struct rv_process_key process, bool guarded)
{
    (void)guarded;
    return rv_fan_protect_process(((struct fan_provider *)handle)->fan, process.tgid,
                                  process.start_boot_ns);
}

static void ask_through(void *handle, int fd)
{
    struct fan_provider *provider = handle;
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

    pthread_mutex_lock(&provider->lock);
    rv_closep(&provider->ask_fd);
    provider->ask_fd = copy;
    pthread_mutex_unlock(&provider->lock);
    wake(provider);
}

static int poll_fd(void *handle)
{
    return rv_fan_records_fd(((struct fan_provider *)handle)->fan);
}

static int drain(void *handle, rv_provider_put_fn *put, void *context)
{
    return rv_fan_drain(((struct fan_provider *)handle)->fan, put, context);
}

static uint64_t disarmed(void *handle)
{
    return rv_fan_disarmed(((struct fan_provider *)handle)->fan)
               ? RV_DO_EXEC | RV_DO_READ | RV_DO_WRITE
               : 0;
}

static uint64_t lost(void *handle)
{
    struct rv_fan_counts counts = { 0 };

    rv_fan_counts(((struct fan_provider *)handle)->fan, &counts);
    return counts.records_lost;
}

/** Follow folders that are new. @return whether a name of the set means another file now. */
static bool stale(void *handle)
{
    return rv_fan_follow(((struct fan_provider *)handle)->fan) == 1;
}

const struct rv_provider rv_provider_fan = {
    .mechanism = RV_BY_FANOTIFY,
    .open = open_fan,
    .close = close_fan,
    .swap = swap,
    .renew = renew,
    .observe = observe,
    .grant = grant,
    .protect = protect,
    .ask_through = ask_through,
    .poll_fd = poll_fd,
    .drain = drain,
    .disarmed = disarmed,
    .lost = lost,
    .stale = stale,
};
