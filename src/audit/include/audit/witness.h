/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/witness.h  C2SP tlog-witness, both ways, without the transport (audit/http.h has
 * one): a witness cosigns a checkpoint only if it extends the one it cosigned before, and writes
 * that down before it answers; a log asks, and a policy (C2SP tlog-policy) says which answers are
 * enough. Whoever acts on a checkpoint fails closed without a quorum; whoever only watches goes on.
 */
#pragma once

#include "audit/checkpoint.h"
#include "base/clock.h"

#define RV_WITNESS_REQUEST_MAX ((size_t)16 * 1024)
#define RV_WITNESS_PROOF_MAX   ((size_t)63) /* lines, by the protocol */

/* ---- Being a witness ---- */

struct rv_witness;

/**
 * @param state_dir_fd where the last checkpoint of each log is kept, one file a log; duplicated.
 *                     One witness per directory: a lock is held.
 * @param signer       an RV_NOTE_COSIGNATURE key; borrowed until rv_witness_free().
 * @return 0; -EINVAL if the key is of another type; -EBUSY; -errno.
 */
RV_MUST_CHECK int rv_witness_open(struct rv_witness **ret_witness, int state_dir_fd,
                                  const struct rv_signer *signer, struct rv_clock clock);
void rv_witness_free(struct rv_witness **witness);
/** A log to cosign for, by its key; several keys may share an origin (rotation). */
RV_MUST_CHECK int rv_witness_add_log(struct rv_witness *witness, const struct rv_note_key *key);

struct rv_witness_answer {
    int status;               /* of HTTP */
    const char *content_type; /* static */
    bool fork; /* two signed trees of one size differ: tell somebody. Both are kept in the state
                  directory, as the last checkpoint and as fork-<digest>. */
    struct rv_buf body;
};
void rv_witness_answer_done(struct rv_witness_answer *answer);

/**
 * Judge one `add-checkpoint` request. The new state is durable before this returns status 200.
 * @return 0 with an answer (also for a refusal); -errno if the state could not be kept: answer 500.
 */
RV_MUST_CHECK int rv_witness_add_checkpoint(struct rv_witness *witness, struct rv_span request,
                                            struct rv_witness_answer *ret_answer);

/* ---- Asking one ---- */

struct rv_witness_request {
    uint64_t old_size;
    struct rv_proof proof;
    struct rv_span checkpoint; /* a view: the signed note */
};

void rv_witness_request_format(struct rv_buf *buf, const struct rv_witness_request *request);
/** @return 0; -EBADMSG. */
RV_MUST_CHECK int rv_witness_request_parse(struct rv_witness_request *ret_request,
                                           struct rv_span bytes);
/**
 * From a witness's 200 answer, keep the signature lines that this witness key really made over the
 * checkpoint. @return 0; -EBADMSG if there is none.
 */
RV_MUST_CHECK int rv_witness_accept(struct rv_buf *lines, struct rv_span answer,
                                    struct rv_span checkpoint, const struct rv_note_key *key);

/* ---- When is it enough: C2SP tlog-policy ---- */

#define RV_POLICY_LEN_MAX     ((size_t)64 * 1024)
#define RV_POLICY_LOGS_MAX    ((size_t)32)
#define RV_POLICY_MEMBERS_MAX ((size_t)64) /* witnesses and groups together */

struct rv_policy_witness {
    struct rv_note_key key;
    char url[256]; /* submission prefix; may be empty */
};

struct rv_log_policy;

/** Parse a policy file. @param reterr_line the line that is wrong, on -EBADMSG. */
RV_MUST_CHECK int rv_log_policy_parse(struct rv_log_policy **ret_policy, struct rv_span text,
                                      unsigned *reterr_line);
void rv_log_policy_free(struct rv_log_policy **policy);
size_t rv_log_policy_logs(const struct rv_log_policy *policy, const struct rv_note_key **ret_keys);
size_t rv_log_policy_witness_count(const struct rv_log_policy *policy);
const struct rv_policy_witness *rv_log_policy_witness(const struct rv_log_policy *policy,
                                                      size_t index);

enum rv_quorum { RV_QUORUM_MISSING = 0, RV_QUORUM_REACHED };

/**
 * Is a checkpoint signed by one of the policy's logs (or by `log_keys`, when it names none) and
 * cosigned by its quorum?
 * @param unix_s cosignatures more than five minutes ahead of it do not count.
 * @return 0; -EBADMSG for what is not a checkpoint.
 */
RV_MUST_CHECK int rv_log_policy_judge(const struct rv_log_policy *policy, struct rv_span note,
                                      const struct rv_note_key *log_keys, size_t log_key_count,
                                      uint64_t unix_s, enum rv_quorum *ret_quorum,
                                      struct rv_checkpoint *ret_checkpoint);
