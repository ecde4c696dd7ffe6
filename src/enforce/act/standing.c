/* SPDX-License-Identifier: Apache-2.0 */
/* {"boot": id, "last": number, "standing": [...]}, replaced as a whole by rename. */
#include "act/standing.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_ID_LEN 36

void rv_standing_done(struct rv_standing *standing)
{
    free(standing->cgroup);
    free(standing->threads);
    *standing = (struct rv_standing){ 0 };
}

int rv_standing_add_thread(struct rv_standing *standing, const struct rv_standing_thread *thread)
{
    if (standing->thread_count == RV_STANDING_THREADS_MAX)
        return -ENOSPC;
    if (standing->thread_count % 64 == 0) {
        struct rv_standing_thread *grown =
            reallocarray(standing->threads, standing->thread_count + 64, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        standing->threads = grown;
    }
    standing->threads[standing->thread_count++] = *thread;
    return 0;
}

/* ---- Write ---- */

static json_t *thread_json(const struct rv_standing_thread *thread)
{
    return json_pack("[i,i,I,i,i,i,i]", thread->tgid, thread->tid, (json_int_t)thread->start_ticks,
                     thread->policy, thread->nice, thread->priority, thread->ioprio);
}

static json_t *standing_json(const struct rv_standing *standing)
{
    json_t *threads = json_array();

    for (size_t i = 0; i < standing->thread_count; i++)
        if (json_array_append_new(threads, thread_json(&standing->threads[i])) < 0) {
            json_decref(threads);
            return NULL;
        }
    return json_pack("{sI,si,si,sI,sI,ss?,s[ss],sI,sb,so}", "number", (json_int_t)standing->number,
                     "action", (int)standing->action, "method", (int)standing->method, "tgid",
                     (json_int_t)standing->process.tgid, "start_boot_ns",
                     (json_int_t)standing->process.start_boot_ns, "cgroup", standing->cgroup, "old",
                     standing->old[0], standing->old[1], "since_ticks",
                     (json_int_t)standing->since_ticks, "complete", standing->complete, "threads",
                     threads);
}

static int read_boot_id(char ret_boot[BOOT_ID_LEN + 1])
{
    RV_AUTO(rv_freep) char *text = NULL;
    size_t len;
    int r = rv_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, &len);

    if (r < 0)
        return r;
    if (len < BOOT_ID_LEN)
        return -EBADMSG;
    memcpy(ret_boot, text, BOOT_ID_LEN);
    ret_boot[BOOT_ID_LEN] = '\0';
    return 0;
}

int rv_standing_format(struct rv_buf *buf, const char *boot, const struct rv_standing *all,
                       uint32_t last_number)
{
    RV_AUTO(rv_json_freep)
    json_t *file =
        json_pack("{ss,sI,s[]}", "boot", boot, "last", (json_int_t)last_number, "standing");
    json_t *list = json_object_get(file, "standing");
    int r;

    for (size_t i = 0; list && i < RV_STANDING_MAX; i++)
        if (all[i].number && json_array_append_new(list, standing_json(&all[i])) < 0)
            return -ENOMEM;
    r = list ? rv_json_canonical(buf, file) : -ENOMEM;
    return r == 0 && buf->failed ? -ENOMEM : r;
}

int rv_standing_write(const char *path, const struct rv_standing *all, uint32_t last_number)
{
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    RV_AUTO(rv_closep) int dir = -1;
    const char *slash = strrchr(path, '/');
    char boot[BOOT_ID_LEN + 1], folder[256];
    int r = read_boot_id(boot);

    if (r < 0)
        return r;
    if (!slash || (size_t)(slash - path) >= sizeof(folder))
        return -EINVAL;
    (void)snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - path), path);
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    r = rv_standing_format(&buf, boot, all, last_number);
    return r < 0 ? r : rv_write_file_atomic(dir, slash + 1, buf.data, buf.len, 0600);
}

/* ---- Read ---- */

static int parse_thread(const json_t *json, struct rv_standing *standing)
{
    json_int_t v[7];

    if (json_array_size(json) != RV_COUNT(v))
        return -EBADMSG;
    for (size_t i = 0; i < RV_COUNT(v); i++) {
        const json_t *number = json_array_get(json, i);

        v[i] = json_integer_value(number);
        if (!json_is_integer(number) || (i != 2 && (v[i] < INT32_MIN || v[i] > INT32_MAX)))
            return -EBADMSG;
    }
    if (v[0] <= 1 || v[1] <= 1 || v[2] < 0)
        return -EBADMSG;
    return rv_standing_add_thread(standing,
                                  &(struct rv_standing_thread){ .tgid = (pid_t)v[0],
                                                                .tid = (pid_t)v[1],
                                                                .start_ticks = (uint64_t)v[2],
                                                                .policy = (int)v[3],
                                                                .nice = (int)v[4],
                                                                .priority = (int)v[5],
                                                                .ioprio = (int)v[6] });
}

static bool in_range(json_int_t value, json_int_t min, json_int_t max)
{
    return value >= min && value <= max;
}

/** A cgroup's path cannot lead out of where it says it is. */
static bool is_plain_path(const char *path)
{
    return path[0] == '/' && !strstr(path, "/../") && strlen(path) < 4096;
}

static int parse_standing(json_t *json, struct rv_standing *ret_standing)
{
    RV_AUTO(rv_standing_done) struct rv_standing standing = { 0 };
    json_int_t number, tgid, start, since;
    const char *cgroup = NULL, *old[2];
    json_t *folder, *threads, *thread;
    int action, method, complete, r = 0;
    size_t at;

    if (json_unpack(json, "{sI,si,si,sI,sI,so,s[ss!],sI,sb,so!}", "number", &number, "action",
                    &action, "method", &method, "tgid", &tgid, "start_boot_ns", &start, "cgroup",
                    &folder, "old", &old[0], &old[1], "since_ticks", &since, "complete", &complete,
                    "threads", &threads) < 0)
        return -EBADMSG;
    cgroup = json_string_value(folder);
    if (!cgroup && !json_is_null(folder))
        return -EBADMSG;
    if (!in_range(number, 1, UINT32_MAX) || !in_range(action, RV_ACT_NONE + 1, RV_ACT_COUNT_ - 1) ||
        !in_range(method, RV_METHOD_NONE + 1, RV_METHODS_ - 1) || !in_range(tgid, 0, INT32_MAX) ||
        action == RV_ACT_KILL || action == RV_ACT_KILL_TREE || tgid == 1 || start < 0 ||
        since < 0 || !json_is_array(threads) || (cgroup ? !is_plain_path(cgroup) : tgid == 0))
        return -EBADMSG;
    standing.number = (uint32_t)number;
    standing.action = (enum rv_action)action;
    standing.method = (enum rv_act_method)method;
    standing.process = (struct rv_process_key){ (uint64_t)start, (uint32_t)tgid };
    standing.since_ticks = (uint64_t)since;
    standing.complete = complete;
    for (size_t i = 0; i < RV_COUNT(old); i++) {
        if (strlen(old[i]) >= RV_KNOB_MAX)
            return -EBADMSG;
        memcpy(standing.old[i], old[i], strlen(old[i]) + 1);
    }
    json_array_foreach(threads, at, thread)
    {
        r = parse_thread(thread, &standing);
        if (r < 0)
            return r == -ENOMEM ? r : -EBADMSG;
    }
    if (cgroup && !(standing.cgroup = strdup(cgroup)))
        return -ENOMEM;
    *ret_standing = standing;
    standing = (struct rv_standing){ 0 };
    return 0;
}

int rv_standing_parse(struct rv_span text, const char *boot, struct rv_standing *all,
                      uint32_t *ret_last_number, uint32_t *ret_ended)
{
    RV_AUTO(rv_json_freep) json_t *file = NULL;
    const char *its_boot;
    json_int_t last;
    json_t *list, *item;
    uint32_t ended = 0;
    size_t at, n = 0;
    int r = rv_json_parse(text, &file, NULL);

    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    if (json_unpack(file, "{ss,sI,so!}", "boot", &its_boot, "last", &last, "standing", &list) < 0 ||
        !in_range(last, 0, UINT32_MAX) || !json_is_array(list) ||
        json_array_size(list) > RV_STANDING_MAX)
        return -EBADMSG;
    if (!rv_streq(its_boot, boot))
        return -ESTALE;
    json_array_foreach(list, at, item)
    {
        r = parse_standing(item, &all[n]);
        if (r == 0 && all[n].number > last)
            r = -EBADMSG;
        if (r < 0)
            break;
        if (all[n].action == RV_ACT_ISOLATE) {
            rv_standing_done(&all[n]);
            ended++;
        } else {
            n++;
        }
    }
    for (size_t i = 0; r < 0 && i < RV_STANDING_MAX; i++)
        rv_standing_done(&all[i]);
    if (r < 0)
        return r;
    *ret_last_number = (uint32_t)last;
    *ret_ended = ended;
    return 0;
}

int rv_standing_read(const char *path, struct rv_standing *all, uint32_t *ret_last_number,
                     uint32_t *ret_ended)
{
    RV_AUTO(rv_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    RV_AUTO(rv_freep) char *text = NULL;
    char boot[BOOT_ID_LEN + 1], name[32];
    struct stat st;
    size_t len;
    int r;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        return -EPERM;
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    r = rv_read_file(AT_FDCWD, name, RV_STANDING_FILE_MAX, &text, &len);
    if (r == 0)
        r = read_boot_id(boot);
    if (r == 0)
        r = rv_standing_parse(rv_span(text, len), boot, all, ret_last_number, ret_ended);
    return r == -ESTALE ? 0 : r;
}
