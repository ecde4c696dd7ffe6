/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/channel.h  What guard and judge say to each other, over one SOCK_SEQPACKET pair.
 * A packet is a head and a payload of at most RV_CHANNEL_PAYLOAD_MAX bytes; a packet of any other
 * shape ends the peer. The guard trusts nothing in it: every request is looked up in its table.
 */
#pragma once

#include "base/bytes.h"
#include "base/hash.h"
#include "enforce/rule.h"
#include "event/event.h"

#define RV_CHANNEL_PAYLOAD_MAX ((size_t)16 * 1024)

enum rv_channel_type {
    RV_CHANNEL_NONE = 0,
    /* guard to judge */
    RV_CHANNEL_SENSORS,   /* payload: struct rv_sensors_fds; first of all, descriptors RV_JUDGE_FD_*
                           */
    RV_CHANNEL_EVENT,     /* payload: one event (found in /proc, a gap, a loss) */
    RV_CHANNEL_SCAN_DONE, /* every process that was running has been reported */
    RV_CHANNEL_STOP,      /* finish, answer by leaving */
    RV_CHANNEL_ENFORCING, /* payload: struct rv_channel_enforcing, after each set and change */
    RV_CHANNEL_REFUSAL,   /* payload: struct rv_refusal_record */
    RV_CHANNEL_ACTED,     /* payload: struct rv_channel_acted */
    RV_CHANNEL_SNAPSHOT,  /* payload: struct rv_channel_snapshot, then a piece of JSON */
    /* judge to guard */
    RV_CHANNEL_READY,  /* rings are being read */
    RV_CHANNEL_RESCAN, /* events were lost: report the running processes again */
    RV_CHANNEL_ROOT,   /* payload: uint32_t process id; it may see files under another root: watch
                          them */
    RV_CHANNEL_HEALTH, /* no payload; each second while all is well: leases are renewed */
    RV_CHANNEL_RULES,  /* payload: struct rv_channel_rules; a new set begins */
    RV_CHANNEL_RULE,   /* payload: struct rv_rule; the last one puts the set in place */
    RV_CHANNEL_ACT,    /* payload: struct rv_channel_act */
    RV_CHANNEL_UNDO,   /* payload: struct rv_channel_undo */
    RV_CHANNEL_GRANT,  /* payload: struct rv_grant */
    RV_CHANNEL_RISK,   /* payload: struct rv_channel_risk */
    RV_CHANNEL_MODEL,  /* payload: struct rv_channel_model; before rules, and when it changes */
    RV_CHANNEL_TYPE_COUNT_,
};

struct rv_channel_rules {
    struct rv_rule_settings settings;
    uint32_t count; /* 0: the set is empty and in place at once */
    uint32_t pad;
};

/** Which packages speak for the judge: the kernel's slots follow. Zeros: the built-in one, none. */
struct rv_channel_model {
    struct rv_sha256 live, shadow;
};

/** Why a slot of the kernel holds what it holds. */
enum rv_kernel_slot_why {
    RV_SLOT_NO_MODEL = 0, /* no package speaks, or it stepped down: there is nothing to follow */
    RV_SLOT_PINNED,       /* kernel.model or kernel.shadow names it */
    RV_SLOT_FOLLOWS,      /* the package that speaks, or stands in the shadow */
    RV_SLOT_NO_HEAD,      /* that one is for the judge alone */
    RV_SLOT_REFUSED,      /* it cannot be read, is not root's alone, or this kernel takes it not */
    RV_SLOT_WHY_COUNT_,
};

/** What models in the kernel did since they were put there. */
struct rv_channel_scores {
    uint64_t model, shadow; /* the first 8 bytes of their digests; 0: none */
    uint64_t scored;
    uint64_t missed; /* due, but without memory, room or program */
    uint64_t shadowed;
    uint64_t only_live, only_shadow; /* just one of them alarmed */
    uint32_t live_why, shadow_why;   /* enum rv_kernel_slot_why */
    int32_t error;                   /* why it was refused: -errno */
    uint32_t pad;
};

/** How the guard enforces; what it could not do stands in `error`. */
struct rv_channel_enforcing {
    uint64_t digest;                  /* of the set in place */
    uint64_t carried[RV_MECHANISMS_]; /* by enum rv_mechanism: bits of the rules it carries */
    uint64_t disarmed;                /* RV_DO_*: hooks that found themselves too slow */
    uint64_t lost;                    /* refusals whose record found no room */
    struct rv_channel_scores scores;
    uint32_t offered;         /* 1 << enum rv_mechanism: not found to be broken here */
    uint32_t opening;         /* mechanisms are being opened; the rules wait */
    uint32_t mechanisms;      /* 1 << enum rv_mechanism: those that work here and are open */
    uint32_t rules;           /* in place */
    uint32_t stopped;         /* the emergency stop is on */
    uint32_t boot_guarded;    /* two boots ended badly: nothing is enforced */
    int32_t error;            /* the last set was refused: -errno, the old one stands */
    uint32_t error_rule;      /* its place in that set */
    uint32_t error_mechanism; /* enum rv_mechanism */
    uint32_t standing;        /* actions that can be undone */
};

/** Carry out an action. `request` comes back in the answer. */
struct rv_channel_act {
    uint64_t request;
    struct rv_process_key process;
    uint64_t cgroup_id; /* the workload; 0: the process itself */
    uint32_t action;    /* enum rv_action */
    uint32_t snapshot;  /* 1: send a forensic snapshot first */
};

struct rv_channel_undo {
    uint64_t request;
    uint32_t number; /* 0: all */
    uint32_t pad;
};

struct rv_channel_acted {
    uint64_t request;
    uint32_t outcome; /* enum rv_act_outcome */
    uint32_t number;  /* by which it can be undone; of an undo: how many were */
    int32_t error;    /* 0 or -errno */
    char how[120];    /* by which means, or what stood in the way; ends with a zero */
};

struct rv_channel_snapshot {
    uint64_t request;
    uint32_t last; /* 1: this piece completes it */
    uint32_t pad;
};

/** The risk of a process, for rules that ask for it. */
struct rv_channel_risk {
    struct rv_process_key process;
    uint32_t risk;
    uint32_t pad;
};

/* Beside the channel, over RV_JUDGE_FD_ASK: a struct rv_fan_question (enforce/fan.h) a packet from
 * the guard, and this back. Openers wait for it, so nothing else goes that way. */
struct rv_channel_answer {
    uint64_t id;
    uint32_t verdict; /* enum rv_fan_verdict */
    uint32_t flags;   /* RV_FAN_CACHE, RV_FAN_SETTLE */
};

struct rv_channel_head {
    uint32_t type; /* enum rv_channel_type */
    uint32_t len;  /* bytes of payload */
};

/** @return 0; -EAGAIN when a non-blocking peer is full; -EPIPE when it is gone. */
RV_MUST_CHECK int rv_channel_send(int fd, enum rv_channel_type type, struct rv_span payload);

/** The same without waiting, whatever the socket's own mode. */
RV_MUST_CHECK int rv_channel_try(int fd, enum rv_channel_type type, struct rv_span payload);

/**
 * Receive one packet.
 * @param buffer      8-byte aligned, RV_CHANNEL_PAYLOAD_MAX bytes: the payload.
 * @param ret_payload points into `buffer`.
 * @return 0; -EAGAIN; -EPIPE at the end; -EBADMSG for a malformed packet.
 */
RV_MUST_CHECK int rv_channel_receive(int fd, void *buffer, enum rv_channel_type *ret_type,
                                     struct rv_span *ret_payload);
