// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lsm: files and privileged calls on kernels older than the tracepoints of file/ and kernel/.
 * Hooks: BPF LSM (path_*, file_open, bpf, sb_mount, kernel_read_file ...), which Debian's 6.1 and
 * 6.12 have and the newer development kernel refuses. They run before the fact, on objects that
 * the kernel has resolved: both names of a rename are exact, no memory of the caller is read.
 * Each program only looks: it returns 0, always. What is refused later by the kernel was reported
 * all the same (RV_EVENT_F_INLINE says "before the fact").
 *
 * LSM programs can be preempted; see RV_SCRATCH_SLOTS.
 */
#include "bpf/identity.h"

#define O_TRUNC_       01000U
#define O_APPEND_      02000U
#define FMODE_WRITE    2U
#define ONE_CALL_NS   10000000ULL /* from file_open to path_truncate of the same open */
#define FMODE_CREATED  0x100000U
#define READING_KEXEC  3
#define READING_MODULE 2

#define BPF_PROG_GET_FD_BY_ID 13U
#define BPF_MAP_GET_FD_BY_ID  14U
#define BPF_LINK_GET_FD_BY_ID 30U
#define BPF_MAP_CREATE        0U
#define BPF_PROG_LOAD         5U

struct file___mode {
    unsigned int f_mode;
} __attribute__((preserve_access_index));

#define PUT(scratch, struct_name, member, dentry, mount)                                           \
    rv_put_dentry(scratch, __builtin_offsetof(struct rv_event_##struct_name, member), dentry,      \
                  mount, NULL)

RV_INLINE bool watched_now(void)
{
    return rv_watched(bpf_get_current_task_btf());
}

/** The usual start: compare identity, take scratch, mark as seen before the fact. */
#define BEGIN(constant, struct_name)                                                               \
    ({                                                                                             \
        struct rv_scratch *scratch_;                                                               \
                                                                                                   \
        rv_identity_check(RV_IDENTITY_EVENT);                                                      \
        scratch_ = RV_BEGIN(RV_SCRATCH_TASK, constant, struct_name, bpf_get_current_task_btf());   \
        if (scratch_)                                                                              \
            scratch_->header.flags = RV_EVENT_F_INLINE;                                            \
        scratch_;                                                                                  \
    })

RV_INLINE bool is_news(__u64 ino, __u32 dev, __u32 what, __u64 window_ns)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_said said = {
        .process = BPF_CORE_READ(task, group_leader, start_boottime),
        .object = ino,
        .dev = dev,
        .what = what,
    };

    return rv_first_time(&said, bpf_ktime_get_boot_ns(), window_ns);
}

/* ---- Files ---- */
SEC("lsm/file_open")
int BPF_PROG(rv_lsm_file_open, struct file *file)
{
    const struct inode *inode = BPF_CORE_READ(file, f_inode);
    __u32 flags = BPF_CORE_READ(file, f_flags), access = RV_ACCESS_WRITE;
    __u32 mode = BPF_CORE_READ((const struct file___mode *)(const void *)file, f_mode);
    __u32 kind = BPF_CORE_READ(inode, i_mode) & S_IFMT, dev;
    struct rv_event_file_open *event;
    struct rv_scratch *scratch;
    __u64 ino;

    if (!(mode & (FMODE_WRITE | FMODE_CREATED)) || kind != S_IFREG || !watched_now())
        return 0;
    ino = BPF_CORE_READ(inode, i_ino);
    dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    access |= mode & FMODE_CREATED ? RV_ACCESS_CREATE : 0;
    access |= flags & O_TRUNC_ ? RV_ACCESS_TRUNC : 0;
    access |= flags & O_APPEND_ ? RV_ACCESS_APPEND : 0;
    if (!(access & (RV_ACCESS_CREATE | RV_ACCESS_TRUNC)) &&
        !is_news(ino, dev, RV_EVENT_FILE_OPEN, rv_settings.rewrite_window_ns))
        return 0;
    if (access & RV_ACCESS_TRUNC) /* path_truncate comes next: said already */
        is_news(ino, dev, RV_EVENT_FILE_TRUNCATE, 0);
    scratch = BEGIN(FILE_OPEN, file_open);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_open);
    event->inode = ino;
    event->dev = dev;
    event->access = access;
    event->open_flags = flags;
    event->file_uid = BPF_CORE_READ(inode, i_uid.val);
    event->file_mode = BPF_CORE_READ(inode, i_mode);
    PUT(scratch, file_open, path, BPF_CORE_READ(file, f_path.dentry),
        rv_mount_of(BPF_CORE_READ(file, f_path.mnt)));
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

RV_INLINE int made(const struct path *directory, const struct dentry *dentry, __u32 mode)
{
    struct rv_event_file_open *event;
    struct rv_scratch *scratch;

    if (!watched_now())
        return 0;
    scratch = BEGIN(FILE_OPEN, file_open);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_open);
    event->access = RV_ACCESS_CREATE;
    event->file_mode = mode;
    PUT(scratch, file_open, path, (const struct dentry *)rv_address(dentry),
        rv_mount_of(BPF_CORE_READ(directory, mnt)));
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

SEC("lsm/path_mkdir")
int BPF_PROG(rv_lsm_mkdir, const struct path *directory, struct dentry *dentry, __u16 mode)
{
    return made(directory, dentry, mode | S_IFDIR);
}

SEC("lsm/path_mknod")
int BPF_PROG(rv_lsm_mknod, const struct path *directory, struct dentry *dentry, __u16 mode)
{
    if ((mode & S_IFMT) == S_IFREG || !(mode & S_IFMT))
        return 0; /* open(2) with O_CREAT asks here too; file_open reports it */
    return made(directory, dentry, mode);
}

RV_INLINE int removed(const struct path *directory, const struct dentry *dentry)
{
    const struct inode *inode = BPF_CORE_READ(dentry, d_inode);
    struct rv_event_file_unlink *event;
    struct rv_scratch *scratch;
    __u32 links;

    if (!watched_now())
        return 0;
    scratch = BEGIN(FILE_UNLINK, file_unlink);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_unlink);
    links = BPF_CORE_READ(inode, i_nlink);
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    event->links = (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR || !links ? 0 : links - 1;
    PUT(scratch, file_unlink, path, (const struct dentry *)rv_address(dentry),
        rv_mount_of(BPF_CORE_READ(directory, mnt)));
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

SEC("lsm/path_unlink")
int BPF_PROG(rv_lsm_unlink, const struct path *directory, struct dentry *dentry)
{
    return removed(directory, dentry);
}

SEC("lsm/path_rmdir")
int BPF_PROG(rv_lsm_rmdir, const struct path *directory, struct dentry *dentry)
{
    return removed(directory, dentry);
}

SEC("lsm/path_rename")
int BPF_PROG(rv_lsm_rename, const struct path *old_dir, struct dentry *old_dentry,
             const struct path *new_dir, struct dentry *new_dentry)
{
    const struct inode *inode = BPF_CORE_READ(old_dentry, d_inode);
    struct rv_event_file_rename *event;
    struct rv_scratch *scratch;

    if (!watched_now())
        return 0;
    scratch = BEGIN(FILE_RENAME, file_rename);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_rename);
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    PUT(scratch, file_rename, path, (const struct dentry *)rv_address(old_dentry),
        rv_mount_of(BPF_CORE_READ(old_dir, mnt)));
    PUT(scratch, file_rename, new_path, (const struct dentry *)rv_address(new_dentry),
        rv_mount_of(BPF_CORE_READ(new_dir, mnt)));
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

SEC("lsm/path_link")
int BPF_PROG(rv_lsm_link, struct dentry *old_dentry, const struct path *new_dir,
             struct dentry *new_dentry)
{
    const struct inode *inode = BPF_CORE_READ(old_dentry, d_inode);
    struct rv_event_file_link *event;
    struct rv_scratch *scratch;

    if (!watched_now())
        return 0;
    scratch = BEGIN(FILE_LINK, file_link);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_link);
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    /* A link never crosses a mount: both names are under the same. */
    PUT(scratch, file_link, path, (const struct dentry *)rv_address(old_dentry),
        rv_mount_of(BPF_CORE_READ(new_dir, mnt)));
    PUT(scratch, file_link, new_path, (const struct dentry *)rv_address(new_dentry),
        rv_mount_of(BPF_CORE_READ(new_dir, mnt)));
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

SEC("lsm/path_symlink")
int BPF_PROG(rv_lsm_symlink, const struct path *directory, struct dentry *dentry,
             const char *target)
{
    struct rv_event_file_link *event;
    struct rv_scratch *scratch;

    if (!watched_now())
        return 0;
    scratch = BEGIN(FILE_LINK, file_link);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_link);
    event->symbolic = 1;
    rv_put_kernel_str(scratch, &event->path, target);
    PUT(scratch, file_link, new_path, (const struct dentry *)rv_address(dentry),
        rv_mount_of(BPF_CORE_READ(directory, mnt)));
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

RV_INLINE struct rv_scratch *begin_attribute(const struct path *path,
                                             struct rv_event_file_attr **ret_event)
{
    const struct dentry *dentry = BPF_CORE_READ(path, dentry);
    const struct inode *inode = BPF_CORE_READ(dentry, d_inode);
    struct rv_scratch *scratch = watched_now() ? BEGIN(FILE_ATTR, file_attr) : NULL;
    struct rv_event_file_attr *event;

    if (!scratch)
        return NULL;
    event = RV_BODY(scratch, file_attr);
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    event->old_mode = event->new_mode = BPF_CORE_READ(inode, i_mode);
    event->old_uid = event->new_uid = BPF_CORE_READ(inode, i_uid.val);
    event->old_gid = event->new_gid = BPF_CORE_READ(inode, i_gid.val);
    PUT(scratch, file_attr, path, dentry, rv_mount_of(BPF_CORE_READ(path, mnt)));
    *ret_event = event;
    return scratch;
}

SEC("lsm/path_chmod")
int BPF_PROG(rv_lsm_chmod, const struct path *path, __u16 mode)
{
    struct rv_event_file_attr *event;
    struct rv_scratch *scratch = begin_attribute(path, &event);

    if (!scratch)
        return 0;
    event->new_mode = (event->old_mode & S_IFMT) | (mode & 07777U);
    event->changed = 1;
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

SEC("lsm/path_chown")
int BPF_PROG(rv_lsm_chown, const struct path *path, __u64 uid, __u64 gid)
{
    struct rv_event_file_attr *event;
    struct rv_scratch *scratch = begin_attribute(path, &event);

    if (!scratch)
        return 0;
    if ((__u32)uid != 0xffffffffU)
        event->new_uid = (__u32)uid;
    if ((__u32)gid != 0xffffffffU)
        event->new_gid = (__u32)gid;
    event->changed = 2;
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

SEC("lsm/path_truncate")
int BPF_PROG(rv_lsm_truncate, const struct path *path)
{
    const struct dentry *dentry = BPF_CORE_READ(path, dentry);
    const struct inode *inode = BPF_CORE_READ(dentry, d_inode);
    struct rv_event_file_truncate *event;
    struct rv_scratch *scratch;

    if (!watched_now() || !is_news(BPF_CORE_READ(inode, i_ino), rv_dev(BPF_CORE_READ(inode, i_sb)),
                                   RV_EVENT_FILE_TRUNCATE, ONE_CALL_NS))
        return 0;
    scratch = BEGIN(FILE_TRUNCATE, file_truncate);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_truncate);
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    event->file_uid = BPF_CORE_READ(inode, i_uid.val);
    PUT(scratch, file_truncate, path, dentry, rv_mount_of(BPF_CORE_READ(path, mnt)));
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- bpf(2), modules, kexec, mounts ---- */
RV_INLINE void look_for_tampering(__u32 command, __u32 id)
{
    struct rv_wire_own own = {
        .kind = command == BPF_MAP_GET_FD_BY_ID    ? RV_OWN_MAP
                : command == BPF_PROG_GET_FD_BY_ID ? RV_OWN_PROGRAM
                : command == BPF_LINK_GET_FD_BY_ID ? RV_OWN_LINK
                                                   : 0,
        .id = id,
    };
    static const char object[] = "agent BPF object";
    struct rv_event_tamper *event;
    struct rv_scratch *scratch;

    if (!own.kind || !bpf_map_lookup_elem(&rv_own_ids, &own))
        return;
    scratch = BEGIN(TAMPER, tamper);
    if (!scratch)
        return;
    event = RV_BODY(scratch, tamper);
    event->command = command;
    event->kind = own.kind;
    event->id = id;
    rv_put_kernel(scratch, &event->object, object, sizeof(object) - 1, RV_EVENT_NAME_MAX,
                  sizeof(object) - 1);
    rv_send(scratch, RV_RING_URGENT);
}

SEC("lsm/bpf")
int BPF_PROG(rv_lsm_bpf, int command, void *attributes, unsigned int size)
{
    struct rv_event_kernel_load *event;
    struct rv_scratch *scratch;
    __u32 cmd = (__u32)command, first = 0;

    /* Only what makes, attaches or takes hold of an object; not each look into a map. */
    if ((cmd >= 1 && cmd <= 4) || (cmd >= 6 && cmd <= 7) || !watched_now())
        return 0;
    bpf_probe_read_kernel(&first, sizeof(first), attributes);
    look_for_tampering(cmd, first);
    scratch = BEGIN(KERNEL_BPF, kernel_load);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, kernel_load);
    event->command = cmd;
    if (cmd == BPF_MAP_CREATE || cmd == BPF_PROG_LOAD)
        event->kind = first;
    else
        event->id = first;
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

SEC("lsm/kernel_read_file")
int BPF_PROG(rv_lsm_read_file, struct file *file, int what)
{
    struct rv_event_kernel_load *event;
    struct rv_scratch *scratch;

    if ((what != READING_MODULE && what != READING_KEXEC) || !watched_now())
        return 0;
    scratch = BEGIN(KERNEL_MODULE, kernel_load);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, kernel_load);
    if (what == READING_KEXEC)
        scratch->header.type = RV_EVENT_KERNEL_KEXEC;
    if (rv_address(file))
        rv_put_path(
            scratch, &event->path,
            (const struct path *)(rv_address(file) + bpf_core_field_offset(struct file, f_path)));
    rv_send(scratch, RV_RING_URGENT);
    return 0;
}

SEC("lsm/sb_mount")
int BPF_PROG(rv_lsm_mount, const char *device, const struct path *path, const char *type,
             unsigned long flags)
{
    struct rv_event_mount *event;
    struct rv_scratch *scratch;

    if (!watched_now())
        return 0;
    scratch = BEGIN(MOUNT, mount);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, mount);
    event->operation = 1;
    event->mount_flags = flags;
    rv_put_kernel_str(scratch, &event->source, device);
    rv_put_kernel_str(scratch, &event->fstype, type);
    PUT(scratch, mount, target, BPF_CORE_READ(path, dentry), rv_mount_of(BPF_CORE_READ(path, mnt)));
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}
