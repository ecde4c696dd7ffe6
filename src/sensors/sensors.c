/* SPDX-License-Identifier: Apache-2.0 */
/** Open, attach, account, detach. All kernel objects live by descriptors of this process. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "state.h"

#define RING_BYTES_DEFAULT   ((size_t)8 * 1024 * 1024)
#define URGENT_BYTES_DEFAULT ((size_t)256 * 1024)
#define REWRITE_WINDOW_MS    60000U
#define WAKE_WINDOW_NS       (10 * RV_NS_PER_MS) /* rv_stream_timeout_ms() knows it */

/* ---- Which programs ---- */

static bool wanted(const struct rv_sensors *sensors, const struct rv_program *program)
{
    return (sensors->wanted & RV_SENSOR_BIT(program->sensor)) != 0;
}

/** Whether each essential program of a sensor in this way of attaching is among `rows`. */
static bool has_all(enum rv_sensor sensor, bool by_lsm, const bool rows[RV_PROGRAMS_MAX])
{
    bool any = false;

    for (size_t i = 0; i < rv_bpf_program_count; i++) {
        const struct rv_program *row = &rv_programs[i];

        if (row->sensor != sensor || !row->essential || (row->attach == RV_ATTACH_LSM) != by_lsm)
            continue;
        if (!rows[i])
            return false;
        any = true;
    }
    return any || !by_lsm; /* a sensor without a program of its own is there */
}

static void note_missing(struct rv_sensors *sensors, const bool rows[RV_PROGRAMS_MAX])
{
    for (unsigned i = 0; i < RV_SENSOR_COUNT_; i++) {
        enum rv_sensor sensor = (enum rv_sensor)i;

        if ((sensors->wanted & RV_SENSOR_BIT(sensor)) && !has_all(sensor, false, rows) &&
            !has_all(sensor, true, rows))
            sensors->missing |= RV_SENSOR_BIT(sensor);
    }
}

/** The rows to load: LSM programs only for a sensor whose tracepoints the kernel lacks. */
static void choose_rows(const struct rv_sensors *sensors, const struct btf *kernel,
                        bool rows[RV_PROGRAMS_MAX])
{
    for (size_t i = 0; i < rv_bpf_program_count; i++)
        rows[i] = wanted(sensors, &rv_programs[i]) && rv_hook_exists(kernel, &rv_programs[i]);
    for (size_t i = 0; i < rv_bpf_program_count; i++) {
        if (rv_programs[i].attach == RV_ATTACH_LSM && has_all(rv_programs[i].sensor, false, rows))
            rows[i] = false;
    }
}

static int load(struct rv_sensors *sensors, const struct rv_wire_settings *settings)
{
    struct btf *kernel = btf__load_vmlinux_btf();
    bool rows[RV_PROGRAMS_MAX] = { false };
    int r;

    if (!kernel)
        return -EOPNOTSUPP;
    choose_rows(sensors, kernel, rows);
    btf__free(kernel);
    r = rv_load(&sensors->loader, settings, rows, &sensors->bpf);
    note_missing(sensors, rows);
    return r;
}

/* ---- Scope and own ids ---- */

static int fill_scope(const struct rv_sensors *sensors, const struct rv_sensors_options *options)
{
    int fd = bpf_map__fd(sensors->bpf->maps.rv_scope);
    uint32_t yes = 1;

    for (size_t i = 0; i < options->scope_count; i++) {
        if (bpf_map_update_elem(fd, &options->scope[i], &yes, BPF_ANY) < 0)
            return -errno;
    }
    return bpf_map_freeze(fd) < 0 ? -errno : 0;
}

static int own(int ids_fd, uint32_t kind, uint32_t id)
{
    struct rv_wire_own key = { .kind = kind, .id = id };
    uint32_t yes = 1;

    return bpf_map_update_elem(ids_fd, &key, &yes, BPF_ANY) < 0 ? -errno : 0;
}

/** The id of a map, program or link by its descriptor; the kernel puts it first in all three. */
static uint32_t id_of(int fd, uint32_t kind)
{
    union {
        struct bpf_map_info map;
        struct bpf_prog_info program;
        struct bpf_link_info link;
    } info = { 0 };
    uint32_t len = sizeof(info);

    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
        return 0;
    return kind == RV_OWN_MAP       ? info.map.id
           : kind == RV_OWN_PROGRAM ? info.program.id
                                    : info.link.id;
}

/** Tell the kernel side which objects are ours, so that it can say who touches them; freeze. */
static int fill_own_ids(struct rv_sensors *sensors)
{
    int fd = bpf_map__fd(sensors->bpf->maps.rv_own_ids), r = 0;
    struct bpf_program *program;
    const struct bpf_map *map;

    bpf_object__for_each_map(map, sensors->bpf->obj)
    {
        uint32_t id = id_of(bpf_map__fd(map), RV_OWN_MAP);

        if (r == 0 && id)
            r = own(fd, RV_OWN_MAP, id);
    }
    bpf_object__for_each_program(program, sensors->bpf->obj)
    {
        uint32_t id = id_of(bpf_program__fd(program), RV_OWN_PROGRAM);

        if (r == 0 && id)
            r = own(fd, RV_OWN_PROGRAM, id);
    }
    for (size_t i = 0; i < RV_COUNT(sensors->links) && r == 0; i++) {
        uint32_t id = sensors->links[i] ? id_of(bpf_link__fd(sensors->links[i]), RV_OWN_LINK) : 0;

        if (id)
            r = own(fd, RV_OWN_LINK, id);
    }
    if (r < 0)
        return r;
    return bpf_map_freeze(fd) < 0 ? -errno : 0;
}

/* ---- Life ---- */

static int check_options(const struct rv_sensors_options *options, const char **reterr)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t sizes[] = { options->ring_bytes, options->urgent_ring_bytes };

    for (size_t i = 0; i < RV_COUNT(sizes); i++) {
        if (sizes[i] != 0 &&
            (sizes[i] < page || (sizes[i] & (sizes[i] - 1)) != 0 || sizes[i] > (size_t)1 << 30)) {
            *reterr = "ring size must be a power of two between a page and 1 GiB";
            return -EINVAL;
        }
    }
    if (options->scope_count > RV_SENSORS_SCOPE_MAX) {
        *reterr = "too many cgroups in the scope: at most 64";
        return -EINVAL;
    }
    return 0;
}

static const char *load_error(int r)
{
    if (r == -EPERM || r == -EACCES)
        return "loading BPF programs was refused: run as root with CAP_BPF and CAP_PERFMON";
    if (r == -EOPNOTSUPP || r == -ESRCH || r == -ENOENT)
        return "the kernel has no BTF (/sys/kernel/btf/vmlinux): use a kernel built with "
               "CONFIG_DEBUG_INFO_BTF";
    return "the kernel refused the BPF programs: run `reeve doctor` for each one's reason";
}

static uint32_t own_pid_ns(void)
{
    struct stat status;

    return stat("/proc/self/ns/pid", &status) == 0 ? (uint32_t)status.st_ino : 0;
}

static void fill_settings(struct rv_wire_settings *settings,
                          const struct rv_sensors_options *options)
{
    uint32_t window_ms =
        options->rewrite_window_ms ? options->rewrite_window_ms : REWRITE_WINDOW_MS;

    settings->rewrite_window_ns = window_ms * RV_NS_PER_MS;
    settings->wake_window_ns = WAKE_WINDOW_NS;
    settings->scope_on = options->scope_count > 0;
    settings->watch_self = options->watch_self;
    settings->guard_pid_ns = own_pid_ns();
}

static int open_sensors(struct rv_sensors *sensors, const struct rv_sensors_options *options,
                        const char **reterr)
{
    struct rv_wire_settings settings = { 0 };
    int cpus = libbpf_num_possible_cpus();
    int r;

    if (cpus <= 0)
        return -EINVAL;
    sensors->cpus = (uint32_t)rv_min_u64((uint64_t)cpus, RV_WIRE_CPUS);
    fill_settings(&settings, options);
    r = rv_own_tgid(&settings.guard_tgid);
    if (r == 0)
        r = load(sensors, &settings);
    if (r < 0) {
        *reterr = load_error(r);
        return r;
    }
    if ((sensors->missing & sensors->wanted) == sensors->wanted) {
        *reterr = "no sensor works on this kernel: run `reeve doctor` for each one's reason";
        return -EOPNOTSUPP;
    }
    if (sensors->wanted & RV_SENSOR_BIT(RV_SENSOR_READ) && rv_watch_open(&sensors->watch) < 0)
        sensors->missing |= RV_SENSOR_BIT(RV_SENSOR_READ);
    r = fill_scope(sensors, options);
    if (r < 0)
        *reterr = "could not fill the map of watched cgroups";
    return r;
}

int rv_sensors_open(struct rv_sensors **ret_sensors, const struct rv_sensors_options *options,
                    const char **reterr)
{
    RV_AUTO(rv_sensors_free) struct rv_sensors *sensors = NULL;
    const char *error = "out of memory";
    libbpf_print_fn_t print;
    int r;

    if (!reterr)
        reterr = &error;
    *reterr = error;
    r = check_options(options, reterr);
    if (r < 0)
        return r;
    sensors = calloc(1, sizeof(*sensors));
    if (!sensors)
        return -ENOMEM;
    sensors->cgroup_fd = -1;
    sensors->stats_fd = -1;
    sensors->wanted = options->sensors ? options->sensors : RV_SENSORS_DEFAULT;
    sensors->loader.ring_bytes = options->ring_bytes ? options->ring_bytes : RING_BYTES_DEFAULT;
    sensors->loader.urgent_bytes =
        options->urgent_ring_bytes ? options->urgent_ring_bytes : URGENT_BYTES_DEFAULT;
    print = rv_hush();
    r = open_sensors(sensors, options, reterr);
    libbpf_set_print(print);
    if (r < 0)
        return r;
    r = rv_cgroup_open(options->cgroup_root, &sensors->cgroup_fd);
    if (r < 0)
        sensors->missing |= RV_SENSOR_BIT(RV_SENSOR_NET) & sensors->wanted;
    *ret_sensors = RV_TAKE(sensors);
    return 0;
}

void rv_sensors_free(struct rv_sensors **sensors)
{
    struct rv_sensors *s = sensors ? *sensors : NULL;

    if (!s)
        return;
    for (size_t i = 0; i < RV_COUNT(s->links); i++)
        bpf_link__destroy(s->links[i]);
    rv_watch_free(&s->watch);
    rv_bpf__destroy(s->bpf);
    rv_closep(&s->cgroup_fd);
    rv_closep(&s->stats_fd);
    free(s);
    *sensors = NULL;
}

static int attach_row(struct rv_sensors *sensors, size_t i)
{
    struct bpf_program *program = rv_program_of(sensors->bpf, &rv_programs[i]);

    if (!program || bpf_program__fd(program) < 0 || sensors->links[i])
        return 0;
    if (rv_programs[i].attach == RV_ATTACH_CGROUP) {
        if (sensors->cgroup_fd < 0)
            return 0;
        sensors->links[i] = bpf_program__attach_cgroup(program, sensors->cgroup_fd);
    } else {
        sensors->links[i] = bpf_program__attach(program);
    }
    return sensors->links[i] ? 0 : -errno;
}

int rv_sensors_attach(struct rv_sensors *sensors)
{
    libbpf_print_fn_t print = rv_hush();
    int r = 0;

    for (size_t i = 0; i < rv_bpf_program_count && r == 0; i++) {
        if (rv_programs[i].attach == RV_ATTACH_DEEP || rv_programs[i].attach == RV_ATTACH_NONE)
            continue;
        r = attach_row(sensors, i);
        if (r < 0 && !rv_programs[i].essential)
            r = 0;
        if (r < 0 && rv_programs[i].sensor != RV_SENSOR_PROCESS) {
            sensors->missing |= RV_SENSOR_BIT(rv_programs[i].sensor);
            r = 0;
        }
    }
    if (r == 0)
        r = fill_own_ids(sensors);
    libbpf_set_print(print);
    return r;
}

unsigned rv_sensors_missing(const struct rv_sensors *sensors)
{
    return sensors->missing & sensors->wanted;
}

void rv_sensors_fds(const struct rv_sensors *sensors, struct rv_sensors_fds *ret_fds)
{
    ret_fds->fd[RV_SENSORS_FD_RING] = bpf_map__fd(sensors->bpf->maps.rv_ring);
    ret_fds->fd[RV_SENSORS_FD_URGENT] = bpf_map__fd(sensors->bpf->maps.rv_urgent);
    ret_fds->fd[RV_SENSORS_FD_COUNTERS] = bpf_map__fd(sensors->bpf->maps.rv_counters);
    ret_fds->ring_bytes = sensors->loader.ring_bytes;
    ret_fds->urgent_bytes = sensors->loader.urgent_bytes;
    ret_fds->cpus = sensors->cpus;
    ret_fds->version = RV_WIRE_VERSION;
}

/* ---- Deep watching ---- */

static int deep_attach(struct rv_sensors *sensors)
{
    int r = 0;

    for (size_t i = 0; i < rv_bpf_program_count && r == 0; i++) {
        if (rv_programs[i].attach == RV_ATTACH_DEEP)
            r = attach_row(sensors, i);
        if (!rv_programs[i].essential)
            r = 0;
    }
    return r;
}

static void deep_detach(struct rv_sensors *sensors)
{
    for (size_t i = 0; i < rv_bpf_program_count; i++) {
        if (rv_programs[i].attach != RV_ATTACH_DEEP)
            continue;
        bpf_link__destroy(sensors->links[i]);
        sensors->links[i] = NULL;
    }
}

int rv_sensors_deep_add(struct rv_sensors *sensors, uint64_t cgroup_id)
{
    int fd = bpf_map__fd(sensors->bpf->maps.rv_deep_scope), r;
    uint32_t yes = 1;

    if (rv_sensors_missing(sensors) & RV_SENSOR_BIT(RV_SENSOR_DEEP))
        return -EOPNOTSUPP;
    if (bpf_map_update_elem(fd, &cgroup_id, &yes, BPF_NOEXIST) < 0)
        return errno == EEXIST ? 0 : -errno;
    r = deep_attach(sensors);
    if (r < 0) {
        (void)bpf_map_delete_elem(fd, &cgroup_id);
        if (sensors->deep_count == 0)
            deep_detach(sensors);
        return r;
    }
    sensors->deep_count++;
    return 0;
}

int rv_sensors_deep_remove(struct rv_sensors *sensors, uint64_t cgroup_id)
{
    if (bpf_map_delete_elem(bpf_map__fd(sensors->bpf->maps.rv_deep_scope), &cgroup_id) < 0)
        return -errno;
    if (--sensors->deep_count == 0)
        deep_detach(sensors);
    return 0;
}

/* ---- Cost ---- */

int rv_sensors_meter(struct rv_sensors *sensors)
{
    if (sensors->stats_fd < 0)
        sensors->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
    return sensors->stats_fd < 0 ? sensors->stats_fd : 0;
}

size_t rv_sensors_costs(const struct rv_sensors *sensors, struct rv_sensors_cost *rows, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < rv_bpf_program_count && count < room; i++) {
        const struct bpf_program *program = rv_program_of(sensors->bpf, &rv_programs[i]);
        struct bpf_prog_info info = { 0 };
        uint32_t len = sizeof(info);

        if (!program || bpf_program__fd(program) < 0 ||
            bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len) < 0)
            continue;
        rows[count++] = (struct rv_sensors_cost){
            .program = rv_programs[i].name,
            .hook = rv_programs[i].hook,
            .sensor = rv_programs[i].sensor,
            .run_count = info.run_cnt,
            .run_time_ns = info.run_time_ns,
            .missed = info.recursion_misses,
        };
    }
    return count;
}

uint64_t rv_sensors_map_bytes(const struct rv_sensors *sensors)
{
    const struct bpf_map *map;
    uint64_t bytes = 0;

    bpf_object__for_each_map(map, sensors->bpf->obj)
    {
        char path[64];
        RV_AUTO(rv_freep) char *text = NULL;
        size_t len = 0;
        const char *field;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
        if (rv_read_file(AT_FDCWD, path, 4096, &text, &len) < 0)
            continue;
        field = strstr(text, "memlock:");
        if (field)
            bytes += strtoull(field + strlen("memlock:"), NULL, 10);
    }
    return bytes;
}
