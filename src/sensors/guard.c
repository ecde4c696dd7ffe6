/* SPDX-License-Identifier: Apache-2.0 */
/** Events that the guard makes: the scan of running processes, opens of named files. */
#include <bpf/bpf.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "state.h"

#define REMEMBER_EVERY_NS RV_NS_PER_S

/* ---- Events of the guard's own ---- */

static int run_put(struct rv_sensors *sensors, const struct rv_event *event, uint32_t ring)
{
    struct rv_wire_put put = { .event = (uint64_t)(uintptr_t)event,
                               .size = event->size,
                               .ring = ring };
    LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &put, .ctx_size_in = sizeof(put));

    if (bpf_prog_test_run_opts(bpf_program__fd(sensors->bpf->progs.rv_guard_put), &run) < 0)
        return -errno;
    return (int)run.retval;
}

int rv_sensors_put(struct rv_sensors *sensors, const struct rv_event *event)
{
    bool urgent = event->type == RV_EVENT_TAMPER || event->type == RV_EVENT_LOSS;

    return run_put(sensors, event, urgent ? RV_RING_URGENT : RV_RING_MAIN);
}

/** Read a BPF iterator to its end: that is what runs it. */
static int run_iterator(const struct bpf_program *program)
{
    struct bpf_link *link = bpf_program__attach_iter(program, NULL);
    RV_AUTO(rv_closep) int fd = -1;
    char room[256];
    ssize_t len;
    int r = 0;

    if (!link)
        return -errno;
    fd = bpf_iter_create(bpf_link__fd(link));
    if (fd < 0)
        r = fd;
    do {
        len = fd < 0 ? 0 : read(fd, room, sizeof(room));
    } while (len > 0 || (len < 0 && (errno == EINTR || errno == EAGAIN)));
    if (len < 0)
        r = -errno;
    bpf_link__destroy(link);
    return r;
}

int rv_sensors_scan(struct rv_sensors *sensors)
{
    libbpf_print_fn_t print;
    int r;

    if (bpf_program__fd(sensors->bpf->progs.rv_scan_task) < 0)
        return -EOPNOTSUPP;
    print = rv_hush();
    r = run_iterator(sensors->bpf->progs.rv_scan_task);
    libbpf_set_print(print);
    return r;
}

/* ---- Watched files ---- */

int rv_sensors_poll_fd(const struct rv_sensors *sensors)
{
    return sensors->watch ? rv_watch_fd(sensors->watch) : -1;
}

/** Who opened; asks the kernel's task list when the number is not remembered. */
static bool find_who(struct rv_sensors *sensors, uint32_t pid, struct rv_wire_who *ret_who)
{
    int fd = bpf_map__fd(sensors->bpf->maps.rv_recent);
    uint64_t now_ns;
    struct rv_clock clock = rv_clock_system();

    if (bpf_map_lookup_elem(fd, &pid, ret_who) == 0)
        return true;
    now_ns = clock.boot_ns(clock.context);
    if (now_ns - sensors->remembered_ns < REMEMBER_EVERY_NS)
        return false;
    sensors->remembered_ns = now_ns;
    return run_iterator(sensors->bpf->progs.rv_scan_remember) == 0 &&
           bpf_map_lookup_elem(fd, &pid, ret_who) == 0;
}

static int put_hit(void *context, const struct rv_watch_hit *hit)
{
    struct rv_sensors *sensors = context;
    struct rv_clock clock = rv_clock_system();
    struct rv_event_builder *builder = &sensors->builder;
    struct rv_event_file_open *body;
    struct rv_event *header;
    struct rv_wire_who who;
    int r;

    if (!find_who(sensors, hit->pid, &who))
        return 0; /* not watched, the agent itself included */
    header = rv_event_begin(builder, RV_EVENT_FILE_OPEN);
    body = (struct rv_event_file_open *)(void *)header;
    header->time_boot_ns = clock.boot_ns(clock.context);
    header->start_boot_ns = who.start_boot_ns;
    header->cgroup_id = who.cgroup_id;
    header->tgid = header->tid = who.tgid;
    header->uid = who.uid;
    header->gid = who.gid;
    header->pid_ns = who.pid_ns;
    memcpy(header->comm, who.comm, sizeof(header->comm));
    body->inode = hit->inode;
    body->dev = hit->dev;
    body->access = (hit->mask & FAN_OPEN ? RV_ACCESS_READ : 0) |
                   (hit->mask & FAN_MODIFY ? RV_ACCESS_WRITE : 0);
    body->file_uid = hit->uid;
    body->file_mode = hit->mode;
    rv_event_put_str(builder, &body->path, hit->path, RV_EVENT_PATH_MAX);
    r = run_put(sensors, rv_event_end(builder), RV_RING_MAIN);
    return r == -ENOSPC ? 0 : r; /* full: counted */
}

static int put_overflow(void *context)
{
    struct rv_sensors *sensors = context;
    struct rv_event_builder *builder = &sensors->builder;
    struct rv_event *header = rv_event_begin(builder, RV_EVENT_LOSS);
    struct rv_event_loss *body = (struct rv_event_loss *)(void *)header;
    struct rv_clock clock = rv_clock_system();

    header->time_boot_ns = clock.boot_ns(clock.context);
    body->count = body->total = 1; /* at least: the kernel does not count */
    body->lost_type = RV_EVENT_FILE_OPEN;
    body->cause = RV_LOSS_RING_FULL;
    rv_event_put_str(builder, &body->ring, rv_span_str("fanotify"), RV_EVENT_NAME_MAX);
    return rv_sensors_put(context, rv_event_end(builder));
}

int rv_sensors_dispatch(struct rv_sensors *sensors)
{
    const struct rv_watch_sink sink = { put_hit, put_overflow, sensors };
    int r;

    if (!sensors->watch)
        return 0;
    r = rv_watch_read(sensors->watch, &sink);
    return r < 0 ? r : 0;
}

int rv_sensors_watch(struct rv_sensors *sensors, int root_fd, const char *const *paths,
                     size_t path_count, size_t *ret_marked)
{
    if (!sensors->watch)
        return -EOPNOTSUPP;
    return rv_watch_add(sensors->watch, root_fd, paths, path_count, ret_marked);
}

int rv_sensors_unwatch(struct rv_sensors *sensors)
{
    if (!sensors->watch)
        return 0;
    rv_watch_free(&sensors->watch);
    return rv_watch_open(&sensors->watch);
}
