/* SPDX-License-Identifier: Apache-2.0 */
/* What a witness is sent, what it answers, and tlog-policy files. */
#include "audit/witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char checkpoint[] = "PeterNeumann\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
                                 "\xe2\x80\x94 PeterNeumann AAAAAAAA\n";
static const char vkey[] =
    "witness.example/ours+17102127+BE2VMRsBGXQ8/gog+yE270icG+UoXvKcSSJ7UA5RR6Y8";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    RV_AUTO(rv_log_policy_free) struct rv_log_policy *policy = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf lines = { 0 };
    RV_AUTO(rv_buf_done) struct rv_buf again = { 0 };
    struct rv_span bytes = rv_span(data, len);
    enum rv_quorum quorum = RV_QUORUM_MISSING;
    struct rv_witness_request request;
    struct rv_checkpoint ignored;
    struct rv_note_key key;
    unsigned line = 0;

    if (rv_note_key_parse(&key, rv_span_str(vkey)) < 0)
        abort();
    if (rv_witness_request_parse(&request, bytes) == 0) {
        rv_witness_request_format(&again, &request);
        if (!rv_span_eq(rv_buf_span(&again), bytes))
            abort();
    }
    (void)!rv_witness_accept(&lines, bytes, rv_span_str(checkpoint), &key);
    if (rv_log_policy_parse(&policy, bytes, &line) == 0)
        (void)!rv_log_policy_judge(policy, rv_span_str(checkpoint), &key, 1, 0, &quorum, &ignored);
    return 0;
}
