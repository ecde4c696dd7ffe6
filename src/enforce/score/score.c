/* SPDX-License-Identifier: Apache-2.0 */
/* Scores inside the hook, the user half: open, read, count. Models: models.c. */
#include "enforce/score.h"

#include "base/fd.h"

#include "own.h"
#include "private.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define INPUTS_BYTES (4U << 20)

/* ---- Open ---- */

static bool bpf_is_active(void)
{
    RV_AUTO(rv_freep) char *list = NULL;
    size_t len;
    char *rest, *name;

    if (rv_read_file(AT_FDCWD, "/sys/kernel/security/lsm", 4096, &list, &len) < 0)
        return true; /* securityfs is not mounted: let the kernel say */
    rest = list;
    while ((name = strsep(&rest, ",\n")))
        if (rv_streq(name, "bpf"))
            return true;
    return false;
}

static void find_hooks(struct rv_score *score)
{
#define HOOK(name, hook)                                                                           \
    score->hooks[score->hook_count++] = (struct score_hook){ #hook, score->bpf->maps.slots_##name, \
                                                             score->bpf->progs.after_##name, 0 };
    RV_SCORE_HOOKS(HOOK)
#undef HOOK
}

/* Kernels differ in what hooks they have; what is not there is not watched. */
static int choose_programs(struct rv_score *score)
{
    struct btf *btf = btf__load_vmlinux_btf();
    struct bpf_program *program;
    char name[64];

    if (!btf)
        return -EOPNOTSUPP;
    bpf_object__for_each_program(program, score->bpf->obj)
    {
        (void)snprintf(name, sizeof(name), "bpf_lsm_%s",
                       bpf_program__section_name(program) + strlen("lsm/"));
        if (btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) < 0)
            (void)bpf_program__set_autoload(program, false);
    }
    for (size_t i = 0; i < score->hook_count; i++) {
        struct score_hook *hook = &score->hooks[i];
        int id;

        (void)bpf_program__set_autoattach(hook->after, false);
        (void)snprintf(name, sizeof(name), "bpf_lsm_%s", hook->name);
        id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
        hook->btf_id = id > 0 ? (uint32_t)id : 0;
    }
    btf__free(btf);
    return 0;
}

static int set_up(struct rv_score *score, const struct rv_score_options *options)
{
    int r = 0;

    find_hooks(score);
    score->control.walk = options->way == RV_SCORE_TABLES;
    score->control.alarm_risk = 300;
    score->bpf->rodata->recording = options->recording;
    if (options->recording)
        r = bpf_map__set_max_entries(score->bpf->maps.inputs, INPUTS_BYTES);
    if (r == 0 && options->risks_fd >= 0)
        r = bpf_map__reuse_fd(score->bpf->maps.risks, options->risks_fd);
    return r == 0 ? choose_programs(score) : r;
}

/* What takes the scores stands in both banks, whatever model comes and goes. */
static int put_after(const struct rv_score *score)
{
    for (size_t i = 0; i < score->hook_count; i++) {
        uint32_t fd = (uint32_t)bpf_program__fd(score->hooks[i].after);

        for (uint32_t bank = 0; score->hooks[i].btf_id && bank < RV_SCORE_BANKS; bank++) {
            uint32_t key = bank * RV_KERNEL_SLOTS + RV_KERNEL_AFTER;

            if (bpf_map_update_elem(bpf_map__fd(score->hooks[i].slots), &key, &fd, BPF_ANY) < 0)
                return -errno;
        }
    }
    return 0;
}

static int on_input(void *context, void *data, size_t len)
{
    struct rv_score *score = context;

    return len < sizeof(struct rv_score_record) ? -EBADMSG : score->put(score->put_context, data);
}

int rv_score_open(struct rv_score **ret_score, const struct rv_score_options *options)
{
    RV_AUTO(rv_score_close) struct rv_score *score = NULL;
    int r;

    if (!bpf_is_active())
        return -EOPNOTSUPP;
    score = calloc(1, sizeof(*score));
    if (!score)
        return -ENOMEM;
    score->bpf = rv_score_bpf__open();
    if (!score->bpf)
        return -errno;
    r = set_up(score, options);
    if (r == 0)
        r = rv_score_bpf__load(score->bpf);
    if (r == 0)
        r = put_after(score);
    if (r == 0)
        r = rv_score_put_control(score);
    if (r == 0)
        r = rv_score_bpf__attach(score->bpf);
    if (r < 0)
        return r;
    score->ring = ring_buffer__new(bpf_map__fd(score->bpf->maps.inputs), on_input, score, NULL);
    if (!score->ring)
        return -errno;
    *ret_score = RV_TAKE(score);
    return 0;
}

void rv_score_close(struct rv_score **score)
{
    if (!*score)
        return;
    ring_buffer__free((*score)->ring);
    rv_score_bpf__destroy((*score)->bpf);
    free(*score);
    *score = NULL;
}

int rv_score_own(const struct rv_score *score, int own_fd)
{
    return rv_own_add(own_fd, score->bpf->skeleton);
}

/* ---- What the kernel cannot know ---- */

int rv_score_put_control(struct rv_score *score)
{
    uint32_t zero = 0;

    return bpf_map_update_elem(bpf_map__fd(score->bpf->maps.control), &zero, &score->control,
                               BPF_ANY) < 0
               ? -errno
               : 0;
}

int rv_score_alarm_at(struct rv_score *score, uint32_t risk)
{
    score->control.alarm_risk = risk;
    return rv_score_put_control(score);
}

static int put_file(const struct bpf_map *map, const char *path, uint32_t value)
{
    struct rv_score_file file = { 0 };
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    file.inode = st.st_ino;
    file.dev = major(st.st_dev) << 20 | minor(st.st_dev); /* as the kernel keeps it */
    if (bpf_map_update_elem(bpf_map__fd(map), &file, &value, BPF_ANY) < 0)
        return errno == E2BIG ? -ENOSPC : -errno;
    return 0;
}

int rv_score_kind(struct rv_score *score, const char *path, uint32_t kind)
{
    if (kind >= RV_SCORE_CLASSES)
        return -EINVAL;
    return put_file(score->bpf->maps.kinds, path, kind);
}

int rv_score_watch(struct rv_score *score, const char *path)
{
    return put_file(score->bpf->maps.watched, path, 1);
}

int rv_score_normal(struct rv_score *score, const struct rv_bloom *bloom, uint32_t kinds)
{
    uint32_t zero = 0;

    if (bpf_map_update_elem(bpf_map__fd(score->bpf->maps.normals), &zero, bloom, BPF_ANY) < 0)
        return -errno;
    score->control.sequences = kinds;
    return rv_score_put_control(score);
}

/* ---- What it found ---- */

int rv_score_read(const struct rv_score *score, int pidfd, struct rv_score_reading *ret_reading)
{
    struct rv_score_reading reading = { 0 };

    if (bpf_map_lookup_elem_flags(bpf_map__fd(score->bpf->maps.states), &pidfd, &reading.state,
                                  BPF_F_LOCK) < 0)
        return -errno;
    reading.model = reading.state.model;
    reading.risk = reading.state.risk;
    reading.margin_q16 = reading.state.margin_q16;
    *ret_reading = reading;
    return 0;
}

int rv_score_count(const struct rv_score *score, struct rv_score_counts *ret_counts)
{
    enum { WORDS = sizeof(struct rv_score_counts) / sizeof(uint64_t) };
    int cpus = libbpf_num_possible_cpus();
    RV_AUTO(rv_freep) uint64_t *each = NULL;
    uint64_t sum[WORDS] = { 0 };
    uint32_t zero = 0;

    if (cpus <= 0)
        return -EINVAL;
    each = calloc((size_t)cpus * WORDS, sizeof(*each));
    if (!each)
        return -ENOMEM;
    if (bpf_map_lookup_elem(bpf_map__fd(score->bpf->maps.counts), &zero, each) < 0)
        return -errno;
    for (size_t i = 0; i < (size_t)cpus * WORDS; i++)
        sum[i % WORDS] += each[i];
    memcpy(ret_counts, sum, sizeof(*ret_counts));
    return 0;
}

int rv_score_drain(struct rv_score *score,
                   int (*put)(void *context, const struct rv_score_record *record), void *context)
{
    score->put = put;
    score->put_context = context;
    return ring_buffer__consume(score->ring);
}
