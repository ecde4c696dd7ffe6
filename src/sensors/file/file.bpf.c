// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * file: create, change, rename, unlink, link, mode, owner, truncate.
 *
 * Every change to a file or directory moves its ctime, and the kernel announces that on every file
 * system: `inode_set_ctime_to_ts`, and with multigrain time stamps `ctime_ns_xchg` and
 * `ctime_xchg_skip` (Linux 6.13). That is the rarest hook that sees all of it: repeated writes
 * within a clock tick move nothing, io_uring and writes through mmap(2) pass here too, and no
 * system call gets slower. The saved system call number says what kind of change it was.
 *
 * Names: a file that has a dentry is named by it; one under creation by the kernel's own lookup
 * state (task->nameidata). mkdir, mknod, symlink, link and rename keep no such state: there the
 * new name's last component comes from the caller's memory, in a directory that the kernel names,
 * and the event says so (RV_EVENT_F_USER_MEMORY).
 *
 * Not seen: a write within the same clock tick (4 ms) in which something else, already reported,
 * changed the file. Files that the policy names are watched by fanotify as well, without that gap.
 */
#include "bpf/call.h"
#include "bpf/identity.h"

#define NFS_SUPER_MAGIC   0x6969UL
#define PIPEFS_MAGIC      0x50495045UL
#define SOCKFS_MAGIC      0x534F434BUL
#define ALIASES_LOOKED_AT 32
#define ONE_CALL_NS       1000000ULL /* one call may move a ctime more than once */
#define EXT_SUPER_MAGIC   0xEF53UL
#define MOUNTS_LOOKED_AT  128
#define NOT_KNOWN         0xffffffffU
#define BASE_CWD          (-100) /* AT_FDCWD */
#define O_ACCMODE_        3U
#define O_CREAT_          0100U
#define O_APPEND_         02000U

/* What a system call does to a file. */
enum change {
    CHANGE_NONE,
    CHANGE_OPEN,
    CHANGE_WRITE,
    CHANGE_TRUNCATE,
    CHANGE_MODE,
    CHANGE_OWNER,
    CHANGE_ATTRIBUTE,
    CHANGE_UNLINK,
    CHANGE_RENAME,
    CHANGE_LINK,
    CHANGE_SYMLINK,
    CHANGE_MAKE,
};

struct subject {
    struct task_struct *task;
    const struct inode *inode;
    const struct dentry *dentry; /* an alias of the inode, NULL for a new one */
    __u32 kind;                  /* S_IFMT part of the mode */
    enum change change;
    int fd;                   /* argument that names the file, -1: none */
    __u64 old_name, new_name; /* addresses in the caller */
    int new_base;             /* directory that a relative new_name starts from */
    struct rv_call call;
};

static __always_inline void classify(struct subject *subject)
{
    const struct rv_call *call = &subject->call;

    subject->fd = -1;
    subject->new_base = BASE_CWD;
    subject->change = CHANGE_NONE;
    if (call->compat) { /* 32-bit numbers: what changed is known, not by which call */
        subject->change = CHANGE_WRITE;
        return;
    }
    switch (call->number) {
    case NR_open:
    case NR_openat:
    case NR_openat2:
    case NR_creat:
        subject->change = CHANGE_OPEN;
        break;
    case NR_write:
    case NR_pwrite64:
    case NR_writev:
    case NR_pwritev:
    case NR_pwritev2:
    case NR_sendfile:
    case NR_fallocate:
        subject->change = CHANGE_WRITE;
        subject->fd = (int)call->arg[0];
        break;
    case NR_splice:
    case NR_copy_file_range:
        subject->change = CHANGE_WRITE;
        subject->fd = (int)call->arg[2];
        break;
    case NR_ftruncate:
        subject->fd = (int)call->arg[0];
        subject->change = CHANGE_TRUNCATE;
        break;
    case NR_truncate:
        subject->change = CHANGE_TRUNCATE;
        break;
    case NR_fchmod:
        subject->fd = (int)call->arg[0];
        subject->change = CHANGE_MODE;
        break;
    case NR_chmod:
    case NR_fchmodat:
    case NR_fchmodat2:
        subject->change = CHANGE_MODE;
        break;
    case NR_fchown:
        subject->fd = (int)call->arg[0];
        subject->change = CHANGE_OWNER;
        break;
    case NR_chown:
    case NR_lchown:
    case NR_fchownat:
        subject->change = CHANGE_OWNER;
        break;
    case NR_setxattr:
    case NR_lsetxattr:
    case NR_fsetxattr:
        subject->change = CHANGE_ATTRIBUTE;
        break;
    case NR_unlink:
    case NR_rmdir:
        subject->change = CHANGE_UNLINK;
        subject->old_name = call->arg[0];
        break;
    case NR_unlinkat:
        subject->change = CHANGE_UNLINK;
        subject->old_name = call->arg[1];
        break;
    case NR_rename:
        subject->change = CHANGE_RENAME;
        subject->old_name = call->arg[0];
        subject->new_name = call->arg[1];
        break;
    case NR_renameat:
    case NR_renameat2:
        subject->change = CHANGE_RENAME;
        subject->old_name = call->arg[1];
        subject->new_base = (int)call->arg[2];
        subject->new_name = call->arg[3];
        break;
    case NR_link:
        subject->change = CHANGE_LINK;
        subject->new_name = call->arg[1];
        break;
    case NR_linkat:
        subject->change = CHANGE_LINK;
        subject->new_base = (int)call->arg[2];
        subject->new_name = call->arg[3];
        break;
    case NR_symlink:
        subject->change = CHANGE_SYMLINK;
        subject->old_name = call->arg[0];
        subject->new_name = call->arg[1];
        break;
    case NR_symlinkat:
        subject->change = CHANGE_SYMLINK;
        subject->old_name = call->arg[0];
        subject->new_name = call->arg[2];
        break;
    case NR_mkdir:
    case NR_mknod:
        subject->change = CHANGE_MAKE;
        subject->new_name = call->arg[0];
        break;
    case NR_mkdirat:
    case NR_mknodat:
        subject->change = CHANGE_MAKE;
        subject->new_name = call->arg[1];
        break;
    case NR_utime:
    case NR_utimes:
    case NR_futimesat:
    case NR_utimensat:
    case NR_removexattr:
    case NR_lremovexattr:
    case NR_fremovexattr:
        break;
    default:
        /* A page fault of a shared mapping, io_uring, a read(2) into such a mapping, an ioctl:
         * content changed by a way that needs no name of its own. */
        subject->change = CHANGE_WRITE;
        break;
    }
}

/* What was said of a file by a process, besides the event types. */
#define WHAT_EMPTIED 256U

/* ---- Where a file is mounted, for the caller ---- */
struct mount_search {
    const struct mount *at;
    const struct mount *found;     /* whole file system, in the caller's namespace */
    const struct mount *part;      /* a part of it, in the caller's namespace */
    const struct mount *elsewhere; /* in another namespace */
    const struct mnt_namespace *ns;
    const struct dentry *root;
    __u64 head; /* older kernels: address of the list's head */
};

static __always_inline const struct mount *next_mount(const struct mount_search *search)
{
    const struct mount *at = search->at;
    const struct mount___list *old = (const void *)at;
    struct list_head *next;

    if (bpf_core_field_exists(at->mnt_next_for_sb))
        return BPF_CORE_READ(at, mnt_next_for_sb);
    next = BPF_CORE_READ(old, mnt_instance.next);
    if (!next || (__u64)next == search->head)
        return NULL;
    return (const struct mount *)((__u64)next -
                                  bpf_core_field_offset(struct mount___list, mnt_instance));
}

static long mount_step(__u32 index, void *context)
{
    struct mount_search *search = context;
    const struct mount *at = search->at;
    const struct mnt_namespace *ns;

    if (!at)
        return 1;
    ns = BPF_CORE_READ(at, mnt_ns);
    if (ns == search->ns) {
        if (BPF_CORE_READ(at, mnt.mnt_root) == search->root) {
            search->found = at;
            return 1;
        }
        search->part = at;
    } else if (ns && (__u64)ns < -4095ULL) { /* not an error pointer: an inner mount */
        search->elsewhere = at;
    }
    search->at = next_mount(search);
    return 0;
}

static __always_inline const struct mount *first_mount(const struct super_block *sb,
                                                       __u64 *ret_head)
{
    const struct super_block___list *old = (const void *)sb;
    const struct mount *none = NULL;

    if (bpf_core_field_exists(none->mnt_next_for_sb))
        return BPF_CORE_READ(sb, s_mounts);
    *ret_head = (__u64)&old->s_mounts;
    return (const struct mount *)((__u64)BPF_CORE_READ(old, s_mounts.next) -
                                  bpf_core_field_offset(struct mount___list, mnt_instance));
}

/**
 * The mount through which the caller most likely reached the file. NULL: through none, as when an
 * overlay writes to the layer below on somebody's behalf; such changes are reported once, for the
 * overlay itself.
 */
RV_GLOBAL __u64 mount_address(__u64 inode_address)
{
    struct task_struct *task = bpf_get_current_task_btf();
    const struct inode *inode = (const struct inode *)inode_address;
    const struct super_block *sb = BPF_CORE_READ(inode, i_sb);
    struct mount_search search = {
        .ns = BPF_CORE_READ(task, nsproxy, mnt_ns),
        .root = BPF_CORE_READ(sb, s_root),
    };

    search.at = first_mount(sb, &search.head);
    bpf_loop(MOUNTS_LOOKED_AT, mount_step, &search, 0);
    if (search.found)
        return (__u64)search.found;
    if (search.part)
        return (__u64)search.part;
    if (BPF_CORE_READ(task, real_cred) != BPF_CORE_READ(task, cred))
        return 0; /* acting for an overlay */
    return (__u64)search.elsewhere;
}

static __always_inline const struct mount *mount_for(__u64 inode)
{
    return (const struct mount *)mount_address(inode);
}

static __always_inline const struct file *file_of(const struct task_struct *task, int fd)
{
    const struct fdtable *table = BPF_CORE_READ(task, files, fdt);
    struct file **files = BPF_CORE_READ(table, fd);
    const struct file *file = NULL;

    if (fd < 0 || (__u32)fd >= BPF_CORE_READ(table, max_fds))
        return NULL;
    bpf_probe_read_kernel(&file, sizeof(file), files + fd);
    return file;
}

/** Store the subject's path. @return false: not to be reported. */
static __always_inline const struct mount *
place_of(const struct subject *subject, const struct dentry **dentry, const struct file **ret_file)
{
    const struct file *file = NULL;

    if (subject->fd >= 0)
        file = file_of(subject->task, subject->fd);
    if (file && BPF_CORE_READ(file, f_inode) == subject->inode) {
        *ret_file = file;
        *dentry = BPF_CORE_READ(file, f_path.dentry);
        return rv_mount_of(BPF_CORE_READ(file, f_path.mnt));
    }
    *ret_file = NULL;
    return mount_for(rv_address(subject->inode));
}

#define PUT_PATH(scratch, struct_name, member, dentry, mount, leaf)                                \
    rv_put_dentry(scratch, __builtin_offsetof(struct rv_event_##struct_name, member), dentry,      \
                  mount, leaf)

/* ---- Changed content ---- */
static __always_inline bool is_news(const struct subject *subject, __u64 ino, __u32 dev, __u32 what,
                                    __u64 window_ns)
{
    const struct task_struct *task = subject->task;
    struct rv_said said = {
        .process = BPF_CORE_READ(task, group_leader, start_boottime),
        .object = ino,
        .dev = dev,
        .what = what,
    };

    return rv_first_time(&said, bpf_ktime_get_boot_ns(), window_ns);
}

/** Whether the thread made this file a moment ago: cheaper than remembering it in a map. */
static __always_inline bool is_own_making(struct task_struct *task, __u64 ino, __u32 dev)
{
    const struct rv_identity *identity = rv_identity_of(task);
    __u64 made = ino << 12 ^ dev;

    if (!identity)
        return false;
    return identity->made[0] == made || identity->made[1] == made || identity->made[2] == made ||
           identity->made[3] == made;
}

static __always_inline void note_making(struct task_struct *task, __u64 ino, __u32 dev)
{
    struct rv_identity *identity = rv_identity_of(task);

    if (!identity)
        return;
    identity->made[identity->making & 3] = ino << 12 ^ dev;
    identity->making++;
}

static __always_inline int send_open(const struct subject *subject, __u32 access)
{
    const struct inode *inode = subject->inode;
    const struct dentry *dentry = subject->dentry;
    struct task_struct *task = subject->task;
    __u32 dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    __u64 ino = BPF_CORE_READ(inode, i_ino);
    struct rv_event_file_open *event;
    const struct mount *mount;
    const struct file *file;
    struct rv_scratch *scratch;

    if (access & RV_ACCESS_TRUNC
            ? !is_news(subject, ino, dev, WHAT_EMPTIED, ONE_CALL_NS)
            : !is_news(subject, ino, dev, RV_EVENT_FILE_OPEN, rv_settings.rewrite_window_ns))
        return 0;
    mount = place_of(subject, &dentry, &file);
    if (!mount)
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, FILE_OPEN, file_open, task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_open);
    event->inode = ino;
    event->dev = dev;
    event->file_uid = BPF_CORE_READ(inode, i_uid.val);
    event->file_mode = BPF_CORE_READ(inode, i_mode);
    if (file)
        event->open_flags = BPF_CORE_READ(file, f_flags);
    else if (subject->call.number == NR_openat)
        event->open_flags = (__u32)subject->call.arg[2];
    else if (subject->call.number == NR_open)
        event->open_flags = (__u32)subject->call.arg[1];
    event->access = access | (event->open_flags & O_APPEND_ ? RV_ACCESS_APPEND : 0);
    PUT_PATH(scratch, file_open, path, dentry, mount, NULL);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- Created ---- */

/** An inode without a name yet: remember it until its directory changes. */
static __always_inline int note_new(const struct subject *subject)
{
    struct rv_identity *identity =
        bpf_task_storage_get(&rv_identities, subject->task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

    if (identity)
        identity->new_inode = (__u64)subject->inode;
    return 0;
}

static __always_inline void put_new_inode(struct rv_event_file_open *event, __u64 address)
{
    const struct inode *inode = (const struct inode *)address;

    if (!address)
        return;
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->file_uid = BPF_CORE_READ(inode, i_uid.val);
    event->file_mode = BPF_CORE_READ(inode, i_mode);
}

struct name {
    struct qstr text;
    bool from_user;
};

/** The directory `subject->inode` got an entry `name`. */
static __noinline int send_create(struct subject *subject, const struct mount *mount,
                                  struct name *name, __u64 new_inode)
{
    struct task_struct *task = bpf_get_current_task_btf();
    const struct inode *directory = subject->inode;
    struct rv_event_file_open *event;
    struct rv_scratch *scratch;

    scratch = RV_BEGIN(RV_SCRATCH_TASK, FILE_OPEN, file_open, task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_open);
    event->dev = rv_dev(BPF_CORE_READ(directory, i_sb));
    put_new_inode(event, new_inode);
    event->access = RV_ACCESS_CREATE;
    if (subject->change == CHANGE_OPEN) {
        event->open_flags = subject->call.number == NR_openat ? (__u32)subject->call.arg[2]
                            : subject->call.number == NR_open ? (__u32)subject->call.arg[1]
                                                              : O_CREAT_;
        if (event->open_flags & O_ACCMODE_ || subject->call.number == NR_creat)
            event->access |= RV_ACCESS_WRITE;
    }
    if (name->from_user)
        scratch->header.flags |= RV_EVENT_F_USER_MEMORY;
    note_making(task, event->inode, event->dev);
    PUT_PATH(scratch, file_open, path, subject->dentry, mount, &name->text);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/** open(2) with O_CREAT, on any path into the kernel: the lookup's state names directory and name.
 */
static __always_inline int created_by_open(struct subject *subject, struct nameidata *nd)
{
    struct rv_identity *identity = rv_identity_of(subject->task);
    struct name name = {
        .text = { .len = BPF_CORE_READ(nd, last.len), .name = BPF_CORE_READ(nd, last.name) },
    };
    const struct mount *mount = rv_mount_of(BPF_CORE_READ(nd, path.mnt));
    __u64 new_inode = identity ? identity->new_inode : 0;

    if (identity)
        identity->new_inode = 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    return send_create(subject, mount, &name, new_inode);
}

/* ---- Names out of the caller's memory ---- */
struct leaf_search {
    __u8 *text;
    __u32 end, start;
};

static long leaf_step(__u32 index, void *context)
{
    struct leaf_search *search = context;
    __u32 at = search->start - 1;

    if (search->start == 0)
        return 1;
    RV_MASK(at, RV_STRING_MASK);
    if (search->text[at] == '/') {
        if (search->start != search->end)
            return 1;
        search->end--; /* a slash at the end */
    }
    search->start--;
    return 0;
}

/** The last component of a path in the caller's memory, copied into the scratch. */
static __noinline int user_leaf(struct name *name, __u64 user)
{
    __u32 which = RV_SCRATCH_TASK, start;
    struct rv_scratch *scratch = bpf_map_lookup_elem(&rv_scratches, &which);
    struct leaf_search search = { 0 };
    long len;

    if (!scratch)
        return -1;
    len = bpf_probe_read_user_str(scratch->user, sizeof(scratch->user), (const void *)user);
    if (len <= 1)
        return -1;
    search.text = scratch->user;
    search.end = search.start = (__u32)(len - 1);
    bpf_loop(RV_EVENT_PATH_MAX, leaf_step, &search, 0);
    start = search.start;
    RV_MASK(start, RV_STRING_MASK);
    name->text.name = scratch->user + start;
    name->text.len = search.end - search.start;
    name->from_user = true;
    return 0;
}

/* ---- Which of a file's names ---- */
struct alias_search {
    const struct hlist_node *at;
    const struct dentry *found;
    __u64 text[8]; /* the first 63 bytes of the name */
    __u32 len;
};

static long alias_step(__u32 index, void *context)
{
    struct alias_search *search = context;
    const struct hlist_node *at = search->at;
    const struct dentry *dentry;
    __u64 text[8] = { 0 };
    __u32 len = search->len;

    if (!at)
        return 1;
    dentry = RV_PAST_OF(at, const struct dentry, d_u.d_alias);
    if (BPF_CORE_READ(dentry, d_name.len) == len) {
        if (len > 63)
            len = 63;
        RV_MASK(len, 63);
        bpf_probe_read_kernel(text, len, BPF_CORE_READ(dentry, d_name.name));
        search->found = dentry;
        for (int i = 0; i < 8; i++) {
            if (text[i] != search->text[i])
                search->found = NULL;
        }
        if (search->found)
            return 1;
    }
    search->at = BPF_CORE_READ(at, next);
    return 0;
}

/**
 * The subject's dentry that bears the last component of a path of the caller's: a file with hard
 * links has several. @return NULL when none does; the only one when the path cannot be read.
 */
static __noinline const struct dentry *alias_named(const struct dentry *first, __u64 user)
{
    struct alias_search search = { 0 };
    struct name name = { 0 };
    __u32 len;

    if (user_leaf(&name, user) < 0)
        return first;
    search.at = (const struct hlist_node *)((__u64)first +
                                            bpf_core_field_offset(struct dentry, d_u.d_alias));
    search.len = len = name.text.len;
    if (len > 63)
        len = 63;
    RV_MASK(len, 63);
    bpf_probe_read_kernel(search.text, len, name.text.name);
    bpf_loop(ALIASES_LOOKED_AT, alias_step, &search, 0);
    return search.found;
}

/** mkdir, mknod: the directory changed; the name is the caller's. */
static __always_inline int made(struct subject *subject)
{
    const struct mount *mount = mount_for(rv_address(subject->inode));
    struct rv_identity *identity;
    struct name name = { 0 };
    __u64 new_inode;

    if (!mount || user_leaf(&name, subject->new_name) < 0)
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    identity = rv_identity_of(subject->task);
    new_inode = identity ? identity->new_inode : 0;
    if (!new_inode)
        return 0; /* the directory changed, nothing was made */
    identity->new_inode = 0;
    return send_create(subject, mount, &name, new_inode);
}

/** Store a path of the caller's; a relative one after the directory that it starts from. */
static __noinline int put_new_path(struct rv_scratch *scratch, __u32 field_offset,
                                   const struct subject *subject)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct rv_event_str *field, rest = { 0 };
    const struct file *file;
    __u32 used;
    char first = 0;

    if (!scratch || !subject)
        return 0;
    RV_MASK(field_offset, 511);
    field = (struct rv_event_str *)(scratch->bytes + field_offset);
    bpf_probe_read_user(&first, sizeof(first), (const void *)subject->new_name);
    if (first == '/') {
        rv_put_user_str(scratch, field, (const char *)subject->new_name);
        return 0;
    }
    file = subject->new_base == BASE_CWD ? NULL : file_of(task, subject->new_base);
    if (file)
        rv_put_path(scratch, field, &file->f_path);
    else
        rv_put_path(scratch, field, &BPF_CORE_READ(task, fs)->pwd);
    used = scratch->used;
    RV_MASK(used, RV_EVENT_SIZE_MAX - 1);
    if (field->len > 1) { /* not the root: a slash between */
        scratch->bytes[used] = '/';
        scratch->used = used + 1;
        field->len++;
        field->true_len++;
    }
    rv_put_user_str(scratch, &rest, (const char *)subject->new_name);
    field->len += rest.len;
    field->true_len += rest.true_len;
    return 0;
}

/* ---- Links ---- */
static __always_inline int linked(struct subject *subject, bool symbolic)
{
    const struct mount *mount = mount_for(rv_address(subject->inode));
    const struct inode *inode = subject->inode;
    struct rv_event_file_link *event;
    struct rv_scratch *scratch;
    struct name name = { 0 };

    if (!mount)
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    if (symbolic && user_leaf(&name, subject->new_name) < 0)
        return 0;
    scratch = RV_BEGIN(RV_SCRATCH_TASK, FILE_LINK, file_link, subject->task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_link);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    event->symbolic = symbolic;
    if (symbolic) { /* the directory changed */
        scratch->header.flags |= RV_EVENT_F_USER_MEMORY;
        PUT_PATH(scratch, file_link, new_path, subject->dentry, mount, &name.text);
        rv_put_user_str(scratch, &event->path, (const char *)subject->old_name);
    } else {
        event->inode = BPF_CORE_READ(inode, i_ino);
        PUT_PATH(scratch, file_link, path, subject->dentry, mount, NULL);
        put_new_path(scratch, __builtin_offsetof(struct rv_event_file_link, new_path), subject);
    }
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- Mode, owner, attributes, length ---- */
static __always_inline bool is_security_attribute(const struct subject *subject)
{
    char name[10] = "";

    bpf_probe_read_user_str(name, sizeof(name), (const void *)subject->call.arg[1]);
    return name[0] == 's' && name[1] == 'e' && name[2] == 'c' && name[3] == 'u' && name[8] == '.';
}

static __always_inline int attributed(struct subject *subject)
{
    const struct inode *inode = subject->inode;
    const struct dentry *dentry = subject->dentry;
    struct rv_event_file_attr *event;
    const struct mount *mount;
    const struct file *file;
    struct rv_scratch *scratch;

    if (subject->change == CHANGE_ATTRIBUTE && !is_security_attribute(subject))
        return 0;
    mount = place_of(subject, &dentry, &file);
    if (!mount)
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, FILE_ATTR, file_attr, subject->task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_attr);
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    event->new_mode = BPF_CORE_READ(inode, i_mode);
    event->new_uid = BPF_CORE_READ(inode, i_uid.val);
    event->new_gid = BPF_CORE_READ(inode, i_gid.val);
    event->old_uid = subject->change == CHANGE_OWNER ? NOT_KNOWN : event->new_uid;
    event->old_gid = subject->change == CHANGE_OWNER ? NOT_KNOWN : event->new_gid;
    event->old_mode = subject->change == CHANGE_MODE ? 0 : event->new_mode;
    event->changed = subject->change == CHANGE_MODE ? 1 : subject->change == CHANGE_OWNER ? 2 : 4;
    PUT_PATH(scratch, file_attr, path, dentry, mount, NULL);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

static __always_inline int truncated(struct subject *subject)
{
    const struct inode *inode = subject->inode;
    const struct dentry *dentry = subject->dentry;
    struct rv_event_file_truncate *event;
    const struct mount *mount;
    const struct file *file;
    struct rv_scratch *scratch;

    if (!is_news(subject, BPF_CORE_READ(inode, i_ino), rv_dev(BPF_CORE_READ(inode, i_sb)),
                 RV_EVENT_FILE_TRUNCATE, ONE_CALL_NS))
        return 0;
    mount = place_of(subject, &dentry, &file);
    if (!mount)
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, FILE_TRUNCATE, file_truncate, subject->task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_truncate);
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    event->file_uid = BPF_CORE_READ(inode, i_uid.val);
    event->length = subject->call.arg[1];
    PUT_PATH(scratch, file_truncate, path, dentry, mount, NULL);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- Removed ---- */
static __always_inline int unlinked(struct subject *subject)
{
    const struct inode *inode = subject->inode;
    __u32 links = BPF_CORE_READ(inode, i_nlink);
    const struct super_block *sb = BPF_CORE_READ(inode, i_sb);
    struct rv_event_file_unlink *event;
    const struct mount *mount;
    struct rv_scratch *scratch;

    if (subject->kind == S_IFDIR && links >= 2)
        return 0; /* the directory that held the name */
    if (links > 0) {
        const struct dentry *named = alias_named(subject->dentry, subject->old_name);

        if (named)
            subject->dentry = named;
    }
    mount = mount_for(rv_address(subject->inode));
    if (!mount)
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, FILE_UNLINK, file_unlink, subject->task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_unlink);
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->dev = rv_dev(sb);
    /* ext4 counts down before it moves the ctime, the others after. */
    if (BPF_CORE_READ(sb, s_magic) != EXT_SUPER_MAGIC && links > 0)
        links--;
    event->links = subject->kind == S_IFDIR ? 0 : links;
    PUT_PATH(scratch, file_unlink, path, subject->dentry, mount, NULL);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- Renamed ---- */

/**
 * How many bytes at the end of the path in `field` a string of the caller's matches: its whole
 * length (up to 63), or 0. Tells the file that moves from the one that it replaces.
 */
static __noinline __u32 matched_length(__u32 which, const struct rv_event_str *field, __u64 user)
{
    __u32 len, offset;
    struct rv_scratch *scratch = bpf_map_lookup_elem(&rv_scratches, &which);
    __u64 theirs[8] = { 0 }, ours[8] = { 0 };
    long n;

    if (!scratch || !field)
        return 0;
    n = bpf_probe_read_user_str(scratch->user, sizeof(scratch->user), (const void *)user);
    if (n <= 1)
        return 0;
    len = (__u32)(n - 1);
    if (len > sizeof(theirs) - 1)
        len = sizeof(theirs) - 1;
    if (field->len < len)
        return 0;
    RV_MASK(len, 63);
    offset = (__u32)(n - 1) - len;
    RV_MASK(offset, RV_STRING_MASK);
    bpf_probe_read_kernel(theirs, len, scratch->user + offset);
    offset = (__u32)field->offset + field->len - len;
    RV_MASK(offset, RV_EVENT_SIZE_MAX - 1);
    bpf_probe_read_kernel(ours, len, scratch->bytes + offset);
    for (int i = 0; i < 8; i++) {
        if (theirs[i] != ours[i])
            return 0;
    }
    return len;
}

static __always_inline int renamed(struct subject *subject)
{
    const struct inode *inode = subject->inode;
    const struct mount *mount;
    struct rv_event_file_rename *event;
    struct rv_scratch *scratch;
    __u32 old_length, new_length;

    if (BPF_CORE_READ(inode, i_nlink) == 0)
        return 0; /* the file that was replaced */
    subject->dentry = alias_named(subject->dentry, subject->old_name);
    if (!subject->dentry)
        return 0; /* a directory that held one of the names, or a replaced file with more names */
    mount = mount_for(rv_address(subject->inode));
    if (!mount)
        return 0;
    rv_identity_check(RV_IDENTITY_EVENT);
    scratch = RV_BEGIN(RV_SCRATCH_TASK, FILE_RENAME, file_rename, subject->task);
    if (!scratch)
        return 0;
    event = RV_BODY(scratch, file_rename);
    event->inode = BPF_CORE_READ(inode, i_ino);
    event->dev = rv_dev(BPF_CORE_READ(inode, i_sb));
    if (subject->call.number == NR_renameat2) {
        const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs(subject->task);

        event->rename_flags = (__u32)BPF_CORE_READ(regs, r8);
    }
    PUT_PATH(scratch, file_rename, path, subject->dentry, mount, NULL);
    new_length = matched_length(scratch->which, &event->path, subject->new_name);
    old_length = matched_length(scratch->which, &event->path, subject->old_name);
    if (new_length > old_length) {
        rv_drop(scratch); /* it stands where the other goes: it was replaced */
        return 0;
    }
    put_new_path(scratch, __builtin_offsetof(struct rv_event_file_rename, new_path), subject);
    rv_send(scratch, RV_RING_MAIN);
    return 0;
}

/* ---- One entry for all ---- */
static __always_inline bool is_nameless(const struct inode *inode)
{
    unsigned long magic = BPF_CORE_READ(inode, i_sb, s_magic);

    return magic == PIPEFS_MAGIC || magic == SOCKFS_MAGIC;
}

static __always_inline bool is_remote(const struct inode *inode)
{
    return BPF_CORE_READ(inode, i_sb, s_magic) == NFS_SUPER_MAGIC;
}

static __always_inline int changed(const struct inode *inode)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct subject subject = { .task = task, .inode = inode };
    struct hlist_node *alias;
    struct nameidata *nd;

    subject.kind = inode->i_mode & S_IFMT;
    if (subject.kind != S_IFREG && subject.kind != S_IFDIR && is_nameless(inode))
        return 0;
    if (!rv_watched(task))
        return 0;
    alias = BPF_CORE_READ(inode, i_dentry.first); /* a plain number */
    if (!alias)
        return note_new(&subject);
    subject.dentry = RV_PAST_OF(alias, const struct dentry, d_u.d_alias);
    rv_call_read(&subject.call, task);
    classify(&subject);
    if (task->flags & PF_IO_WORKER)
        subject.change = CHANGE_WRITE;
    if (subject.kind == S_IFDIR) {
        nd = BPF_CORE_READ(task, nameidata);
        if (nd && BPF_CORE_READ(nd, path.dentry, d_inode) == inode)
            return created_by_open(&subject, nd);
    }
    switch (subject.change) {
    case CHANGE_OPEN:
        return subject.kind == S_IFREG ? send_open(&subject, RV_ACCESS_WRITE | RV_ACCESS_TRUNC) : 0;
    case CHANGE_WRITE:
        return subject.kind == S_IFREG && !is_remote(inode) ? send_open(&subject, RV_ACCESS_WRITE)
                                                            : 0;
    case CHANGE_TRUNCATE:
        return truncated(&subject);
    case CHANGE_MODE:
    case CHANGE_OWNER:
    case CHANGE_ATTRIBUTE:
        return attributed(&subject);
    case CHANGE_UNLINK:
        return unlinked(&subject);
    case CHANGE_RENAME:
        return renamed(&subject);
    case CHANGE_LINK:
        return subject.kind == S_IFDIR ? 0 : linked(&subject, false);
    case CHANGE_SYMLINK:
        return subject.kind == S_IFDIR ? linked(&subject, true) : 0;
    case CHANGE_MAKE:
        return subject.kind == S_IFDIR ? made(&subject) : 0;
    default:
        return 0;
    }
}

SEC("tp_btf/inode_set_ctime_to_ts")
int BPF_PROG(rv_file_set, struct inode *inode)
{
    return changed(inode);
}

SEC("tp_btf/ctime_ns_xchg")
int BPF_PROG(rv_file_swap, struct inode *inode)
{
    return changed(inode);
}

SEC("tp_btf/ctime_xchg_skip")
int BPF_PROG(rv_file_skip, struct inode *inode)
{
    return changed(inode);
}
