/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file enforce/rule.h  What is to be refused, as every provider understands it, and what it did.
 *
 * A rule is a conjunction over what can be told before the fact. Its terms are grouped by subject:
 * the rule matches when in each group that has affirmed terms at least one of them holds, and no
 * negated term of any group holds, and the risk lies in its range. FILE and FOLDER are one group,
 * each flag is a group of its own (memory that is anonymous *and* writable), and so is every other
 * subject. Of two names (rename, link) a rule matches when it does with either. What no rule
 * refuses is allowed.
 *
 * A rule has a fixed size and no pointers, so that it can cross from judge to guard as it is; the
 * receiver checks it with rv_rule_check(). Files are named by path here and known by identity
 * (inode and device) from the moment a provider takes the rule: names and links made later do not
 * change what it means.
 */
#pragma once

#ifdef __bpf__ /* the kernel's half includes this too, after its own types */
typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
#else
#include "base/base.h"
#endif

#define RV_RULES_MAX      64
#define RV_RULE_TERMS_MAX 48
#define RV_RULE_TEXT_MAX  248 /* bytes with the final zero */

/** What is asked before the fact; bits of rv_rule.actions. */
enum {
    RV_DO_EXEC = 1U << 0,
    RV_DO_READ = 1U << 1,  /* open for reading */
    RV_DO_WRITE = 1U << 2, /* open for writing */
    RV_DO_CREATE = 1U << 3,
    RV_DO_RENAME = 1U << 4, /* either name */
    RV_DO_UNLINK = 1U << 5,
    RV_DO_LINK = 1U << 6, /* either name */
    RV_DO_SETATTR = 1U << 7,
    RV_DO_MMAP_EXEC = 1U << 8,
    RV_DO_MPROTECT_EXEC = 1U << 9,
    RV_DO_PTRACE = 1U << 10,
    RV_DO_SOCKET = 1U << 11,
    RV_DO_BIND = 1U << 12,
    RV_DO_CONNECT = 1U << 13, /* and a datagram that names its peer */
    RV_DO_LISTEN = 1U << 14,
    RV_DO_SETUID = 1U << 15,
    RV_DO_MODULE = 1U << 16, /* kernel modules and firmware */
    RV_DO_BPF = 1U << 17,
    RV_DO_MOUNT = 1U << 18,
    RV_DO_USERNS = 1U << 19,
    RV_DO_SIGNAL = 1U << 20,
    RV_DO_TRUNCATE = 1U << 21,
    RV_DO_ACCEPT = 1U << 22,
    RV_DO_KEXEC = 1U << 23,
    RV_DO_COUNT_ = 24,
};

/** What a term speaks of; `text` or `number` holds the value. */
enum rv_rule_subject {
    RV_TERM_PROGRAM = 1,  /* text, path: the file that the acting process runs */
    RV_TERM_PROGRAM_NAME, /* text: the last component of its path */
    RV_TERM_KIND,         /* number: kind of that program, by the provider's table of programs */
    RV_TERM_LINEAGE,      /* text, path: it or an ancestor, living or dead, has run this file */
    RV_TERM_LINEAGE_KIND, /* number: likewise, a program of this kind */
    RV_TERM_UID,          /* number */
    RV_TERM_EUID,         /* number */
    RV_TERM_GID,          /* number */
    RV_TERM_WORKLOAD,     /* number: inode of a cgroup v2 folder; it and those below */
    RV_TERM_FILE,         /* text, path: exactly this file or folder */
    RV_TERM_FOLDER,       /* text, path: everything below this folder */
    RV_TERM_FILE_NAME,    /* text: last component of the file's path */
    RV_TERM_FILE_KIND,    /* number: kind of the program that would be started */
    RV_TERM_ADDRESS,      /* text: "10.0.0.0/8", "::1"; IPv4-mapped IPv6 counts as IPv4 */
    RV_TERM_PORT,         /* number */
    RV_TERM_FAMILY,       /* number: AF_INET, AF_INET6, AF_UNIX, ... */
    RV_TERM_PROTOCOL,     /* number: IPPROTO_TCP, IPPROTO_UDP, other; a raw socket: IPPROTO_RAW */
    RV_TERM_FLAG,         /* number: enum rv_rule_flag */
    RV_TERM_SUBJECTS_,
};

/** Facts of one action that are true or false. */
enum rv_rule_flag {
    RV_FLAG_GUARDED_TARGET = 0, /* SIGNAL, PTRACE: the target is one of Reeve's own */
    RV_FLAG_ANONYMOUS,          /* MMAP_EXEC, MPROTECT_EXEC: no file behind the memory */
    RV_FLAG_WRITABLE,           /* likewise: writable and executable at once */
    RV_FLAG_FILELESS,           /* EXEC: the program is a memfd or a deleted file */
    RV_FLAG_SETID_ADDED,        /* SETATTR: a set-user-id or set-group-id bit is new */
    RV_FLAG_GAINED_ROOT,        /* SETUID: from another user to root */
    RV_FLAGS_,
};

struct rv_rule_term {
    uint8_t subject; /* enum rv_rule_subject */
    uint8_t negated; /* 1: must not hold */
    uint8_t pad[6];
    uint64_t number;
    char text[RV_RULE_TEXT_MAX];
};

enum rv_rule_mode { RV_RULE_SHADOW = 0, RV_RULE_ENFORCE }; /* shadow: counted and reported only */
enum rv_rule_lapse {
    RV_LAPSE_OPEN = 0,
    RV_LAPSE_CLOSED
}; /* when nobody healthy stands behind it */

struct rv_rule {
    uint32_t policy;  /* which policy it came from: the caller's number, repeated in records */
    uint32_t actions; /* RV_DO_* */
    uint16_t risk_min, risk_max; /* 0..1000, both included */
    uint8_t mode;                /* enum rv_rule_mode */
    uint8_t lapse;               /* enum rv_rule_lapse */
    uint8_t held;                /* 1: a grant lets it pass once (a person approved) */
    uint8_t budgeted;            /* 1: refusals count against the workload's hourly budget */
    uint32_t term_count;
    uint32_t pad;
    struct rv_rule_term terms[RV_RULE_TERMS_MAX];
};

#ifndef __bpf__
/** @return NULL when every field is in range, else a sentence without its full stop. Static. */
const char *rv_rule_check(const struct rv_rule *rule);

/** What is known of one action, for rv_rule_matches(). Borrowed; what is absent is NULL or 0. */
struct rv_rule_facts {
    uint32_t action; /* one RV_DO_* bit */
    uint32_t risk;
    const char *program;        /* path */
    const char *const *lineage; /* paths: the program's own and those of its ancestors */
    const char *const *files;   /* paths: one, or both names of a rename or link */
    const uint64_t *cgroups;    /* inodes: its own cgroup v2 folder and those above it */
    size_t lineage_count, file_count, cgroup_count;
    uint32_t kind, lineage_kinds; /* lineage_kinds: bits 1 << kind, the program's own included */
    uint32_t uid, euid, gid;
    uint32_t file_kind;
    uint32_t port, family, protocol;
    bool has_address;
    uint8_t address[16]; /* IPv4 as IPv4-mapped */
    uint32_t flags;      /* bits 1 << enum rv_rule_flag */
};

/**
 * What a rule means, told from paths and numbers: the reference for providers, which know files
 * and programs by identity instead. Mode, lease, grants and budgets are the providers' own affair.
 * The rule must have passed rv_rule_check().
 */
bool rv_rule_matches(const struct rv_rule *rule, const struct rv_rule_facts *facts);

/** "exec", "connect", ... of one RV_DO_* bit; NULL for none. Static. */
const char *rv_do_name(uint32_t bit);
#endif

/* ---- What was decided ---- */

enum rv_mechanism {
    RV_BY_NONE = 0,
    RV_BY_LSM,
    RV_BY_CGROUP,
    RV_BY_FANOTIFY,
    RV_BY_AFTER, /* freeze, kill, isolate, throttle */
    RV_MECHANISMS_,
};

enum rv_refusal {
    RV_REFUSAL_ALLOWED = 0,
    RV_REFUSAL_DENIED,
    RV_REFUSAL_WOULD_DENY,  /* the rule is in the shadow */
    RV_REFUSAL_LAPSED,      /* the lease had run out and the rule lapses open */
    RV_REFUSAL_OVER_BUDGET, /* the workload's budget was used up */
    RV_REFUSAL_STOPPED,     /* the emergency stop was on */
    RV_REFUSAL_DISARMED,    /* the hook is too slow and let it pass */
    RV_REFUSAL_GRANTED,     /* a person had approved it, once */
    RV_REFUSAL_PROTECTED,   /* the acting process may never be refused */
    RV_REFUSALS_,
};

#define RV_POLICY_JUDGE 0xfffffffeU /* rv_refusal_record.policy: no rule, the judge was asked */
#define RV_POLICY_SELF  0xffffffffU /* rv_refusal_record.policy: no rule, but self-protection */

/** One decision that mattered. */
struct rv_refusal_record {
    uint64_t time_boot_ns;
    uint64_t start_boot_ns; /* of the acting process: with tgid its key */
    uint64_t cgroup_id, inode;
    uint64_t program_inode;       /* of the file that the process runs: what a grant is bound to */
    uint64_t rules;               /* bits of the rules that matched, by their place in the set */
    uint64_t digest;              /* first 8 bytes of the set's, as read from memory */
    uint32_t tgid, tid, uid, dev; /* dev: major << 20 | minor */
    uint32_t policy;              /* of the lowest rule that matched */
    uint32_t action;              /* one RV_DO_* bit */
    uint32_t verdict;             /* enum rv_refusal */
    uint32_t mechanism;           /* enum rv_mechanism */
    uint32_t risk, port, family;
    uint32_t repeats;     /* further ones like it that were not written out */
    uint32_t program_dev; /* with program_inode */
    uint8_t addr[16];     /* IPv4 as IPv4-mapped */
    char comm[16];
    char name[64]; /* last component of the file, cut; may be empty */
};

#ifndef __bpf__
const char *rv_refusal_name(enum rv_refusal verdict);       /* "denied", ...; static */
const char *rv_mechanism_name(enum rv_mechanism mechanism); /* "bpf-lsm", ...; static */
#endif

/**
 * One approval: it lets exactly this pass, once, until it expires. Program and file by identity.
 * Members that the action does not know are zero.
 */
struct rv_grant {
    uint64_t program_inode, file_inode, expires_boot_ns;
    uint32_t program_dev, file_dev, uid, action, port, pad;
    uint8_t addr[16];
};

/** What providers need beside the rules. */
struct rv_rule_settings {
    uint32_t budget; /* budgeted refusals in an hour and workload; 0: no limit */
    uint32_t pad;
    uint64_t latency_budget_ns; /* p99.9 of a hook, above which it disarms itself; 0: no limit */
    uint64_t digest;            /* first 8 bytes of the policy's, named in each record */
};

/** Of one rule, since its set was put in place: how often each verdict. */
struct rv_rule_counts {
    uint64_t by[RV_REFUSALS_];
};
