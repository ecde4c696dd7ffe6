/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanotify as the enforcer sees it. Openers wait for answers, so threads of their own serve them
 * whatever the guard is busy with: one for each layer (enforce/fan.h) answers the kernel, one takes
 * the judge's answers in.
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
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAYERS     RV_FAN_LAYERS_
#define LAYER_BITS 2 /* of a question's number, the lowest: which layer asked */

struct fan_provider;

struct layer {
    struct fan_provider *provider;
    struct rv_fan *fan;
    pthread_t answering;
    bool runs;
};

struct fan_provider {
    const struct rv_agent_config *config;
    struct layer layers[LAYERS]; /* by enum rv_fan_layer */
    pthread_t listening;
    bool listening_runs;
    int records_fd; /* an epoll of all layers' */
    int wake_fd;    /* an eventfd: the listener looks at what changed */
    pthread_mutex_t lock;
    int ask_fd; /* under the lock: a duplicate of the judge's socket; -1: nobody to ask */
    bool ending;
    struct rv_fan_scope *scopes;
};

/* ---- The threads ---- */

static int ask(void *context, const struct rv_fan_question *question)
{
    const struct layer *layer = context;
    struct fan_provider *provider = layer->provider;
    struct rv_fan_question numbered = *question;
    ssize_t n = -1;

    numbered.id = question->id << LAYER_BITS | (uint64_t)(layer - provider->layers);
    pthread_mutex_lock(&provider->lock);
    errno = ENOTCONN;
    if (provider->ask_fd >= 0)
        n = send(provider->ask_fd, &numbered, sizeof(numbered), MSG_DONTWAIT | MSG_NOSIGNAL);
    pthread_mutex_unlock(&provider->lock);
    return n < 0 ? -errno : 0;
}

static void *answer_kernel(void *context)
{
    const struct layer *layer = context;
    int r = rv_fan_run(layer->fan);

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
        size_t layer = answer.id & ((1U << LAYER_BITS) - 1);
        /* -ENOENT: it was too late; the default was applied and recorded. */
        int r = layer < LAYERS ? rv_fan_answer(provider->layers[layer].fan, answer.id >> LAYER_BITS,
                                               (enum rv_fan_verdict)answer.verdict, answer.flags)
                               : -EBADMSG;

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
    int r = 0;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; r == 0 && i < LAYERS; i++) {
        struct layer *layer = &provider->layers[i];

        r = -pthread_create(&layer->answering, NULL, answer_kernel, layer);
        layer->runs = r == 0;
    }
    if (r == 0) {
        r = -pthread_create(&provider->listening, NULL, listen_to_judge, provider);
        provider->listening_runs = r == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

/* ---- Scopes ---- */

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
    for (size_t i = 0; i < LAYERS; i++) {
        if (provider->layers[i].fan)
            rv_fan_stop(provider->layers[i].fan);
    }
    if (provider->wake_fd >= 0)
        wake(provider);
    if (provider->listening_runs)
        (void)pthread_join(provider->listening, NULL);
    for (size_t i = 0; i < LAYERS; i++) {
        if (provider->layers[i].runs)
            (void)pthread_join(provider->layers[i].answering, NULL);
    }
    for (size_t i = 0; i < LAYERS; i++)
        rv_fan_close(&provider->layers[i].fan);
    rv_closep(&provider->ask_fd);
    rv_closep(&provider->wake_fd);
    rv_closep(&provider->records_fd);
    (void)pthread_mutex_destroy(&provider->lock);
    free(provider->scopes);
    free(provider);
}

static int know(void *context, const char *path, uint32_t kind)
{
    struct fan_provider *provider = context;

    for (size_t i = 0; i < LAYERS; i++) {
        int r = rv_fan_know_program(provider->layers[i].fan, path, kind);

        if (r < 0 && r != -ENOENT) /* a link to nothing */
            return r;
    }
    return 0;
}

static int open_layer(struct fan_provider *provider, enum rv_fan_layer which)
{
    struct layer *layer = &provider->layers[which];
    const struct rv_config_list *protect = &provider->config->protect;
    struct rv_fan_options options = { .layer = which, .ask = ask, .context = layer };
    struct epoll_event records = { .events = EPOLLIN };
    int r;

    layer->provider = provider;
    r = rv_fan_open(&layer->fan, &options);
    for (size_t i = 0; r == 0 && i < protect->count; i++)
        r = rv_fan_protect(layer->fan, protect->items[i]);
    if (r == 0 &&
        epoll_ctl(provider->records_fd, EPOLL_CTL_ADD, rv_fan_records_fd(layer->fan), &records) < 0)
        r = -errno;
    return r;
}

/** As many descriptors as questions may be pending, and as many again for the rest of the guard. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= 2 * LAYERS * RV_FAN_PENDING_MAX)
        return;
    limit.rlim_cur = rv_min_u64(2 * LAYERS * RV_FAN_PENDING_MAX, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        rv_debug("not more than the usual number of files may be open: %s", strerror(errno));
}

static int open_fan(void **ret_handle, const struct rv_provider_options *options)
{
    struct fan_provider *provider = calloc(1, sizeof(*provider));
    int r;

    if (!provider)
        return -ENOMEM;
    provider->config = options->config;
    provider->ask_fd = -1;
    (void)pthread_mutex_init(&provider->lock, NULL);
    provider->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    provider->records_fd = epoll_create1(EPOLL_CLOEXEC);
    r = provider->wake_fd < 0 || provider->records_fd < 0 ? -errno : 0;
    if (r == 0)
        r = make_scopes(provider);
    if (r == 0)
        raise_descriptors();
    for (unsigned i = 0; r == 0 && i < LAYERS; i++)
        r = open_layer(provider, (enum rv_fan_layer)i);
    if (r == 0)
        r = rv_programs_scan("", know, provider);
    if (r == 0)
        r = start_threads(provider);
    if (r < 0) {
        close_fan(provider);
        return r;
    }
    *ret_handle = provider;
    return 0;
}

/** A rule is carried when all layers carry it. One that fails leaves the others' new set. */
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
        .hold_ns = provider->config->hold_inline_ms * RV_NS_PER_MS,
    };
    uint64_t carried = UINT64_MAX;
    int failed = 0;

    for (size_t i = 0; i < LAYERS; i++) {
        struct rv_fan_taken taken = { 0 };
        int r = rv_fan_swap(provider->layers[i].fan, &set, &taken);

        if (r < 0) {
            *reterr_rule = taken.failed_rule == SIZE_MAX ? 0 : taken.failed_rule;
            failed = r;
        }
        carried &= taken.carried;
        if (r == 0 && taken.incomplete)
            rv_warning("a folder of inline.scope is too large or too deep to be marked as a whole");
    }
    if (failed == 0)
        *ret_carried = carried;
    return failed;
}

static int renew(void *handle, uint64_t ms)
{
    struct fan_provider *provider = handle;

    for (size_t i = 0; i < LAYERS; i++)
        rv_fan_renew(provider->layers[i].fan, ms);
    return 0;
}

/** The first error, after trying all. */
static int first_of(int before, int r)
{
    return before < 0 ? before : r;
}

static int observe(void *handle, bool on)
{
    struct fan_provider *provider = handle;
    int r = 0;

    for (size_t i = 0; i < LAYERS; i++)
        r = first_of(r, rv_fan_observe(provider->layers[i].fan, on));
    return r;
}

static int grant(void *handle, const struct rv_grant *what)
{
    struct fan_provider *provider = handle;
    int r = 0;

    for (size_t i = 0; i < LAYERS; i++)
        r = first_of(r, rv_fan_grant(provider->layers[i].fan, what));
    return r;
}

static int protect(void *handle, struct rv_process_key process, bool guarded)
{
    struct fan_provider *provider = handle;
    int r = 0;

    (void)guarded;
    for (size_t i = 0; i < LAYERS; i++)
        r = first_of(r, rv_fan_protect_process(provider->layers[i].fan, process.tgid,
                                               process.start_boot_ns));
    return r;
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
    return ((struct fan_provider *)handle)->records_fd;
}

static int drain(void *handle, rv_provider_put_fn *put, void *context)
{
    struct fan_provider *provider = handle;
    int total = 0;

    for (size_t i = 0; i < LAYERS; i++) {
        int r = rv_fan_drain(provider->layers[i].fan, put, context);

        if (r < 0)
            return r;
        total += r;
    }
    return total;
}

static uint64_t disarmed(void *handle)
{
    struct fan_provider *provider = handle;
    bool any = false;

    for (size_t i = 0; i < LAYERS; i++)
        any |= rv_fan_disarmed(provider->layers[i].fan);
    return any ? RV_DO_EXEC | RV_DO_READ | RV_DO_WRITE : 0;
}

static uint64_t lost(void *handle)
{
    struct fan_provider *provider = handle;
    uint64_t sum = 0;

    for (size_t i = 0; i < LAYERS; i++) {
        struct rv_fan_counts counts = { 0 };

        rv_fan_counts(provider->layers[i].fan, &counts);
        sum += counts.records_lost;
    }
    return sum;
}

/** Follow folders that are new. @return whether a name of the set means another file now. */
static bool stale(void *handle)
{
    struct fan_provider *provider = handle;
    bool any = false;

    for (size_t i = 0; i < LAYERS; i++)
        any |= rv_fan_follow(provider->layers[i].fan) == 1;
    return any;
}

static int know_root(void *handle, const char *root)
{
    return rv_programs_scan(root, know, handle);
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
    .know_root = know_root,
    .stale = stale,
};
