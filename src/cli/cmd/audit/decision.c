/* SPDX-License-Identifier: Apache-2.0 */
/* The receipt of a decision (rv_outcome_receipt()), its verdict computed again from its vector. */
#include "recompute.h"

#include "agent/receipt.h"
#include "features/table.h"
#include "models/baseline.h"
#include "models/calibration.h"
#include "models/forest_model.h"

#include <fcntl.h>
#include <inttypes.h>

struct check {
    struct rv_buf *report;
    unsigned differing;
};

static bool names_digest(const json_t *value, const struct rv_sha256 *digest)
{
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(digest, hex);
    return json_is_string(value) && rv_streq(json_string_value(value), hex);
}

/* ---- The model ---- */

/** @return 0; else -errno with a line in the report. */
static int open_model(const char *path, struct rv_model **ret_model, struct rv_buf *report)
{
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    const char *why = NULL;
    int r;

    if (!path)
        return rv_baseline_new(ret_model);
    r = rv_package_open_file(AT_FDCWD, path, &package, &why);
    if (r == 0)
        r = rv_forest_model_open(package, ret_model, &why);
    if (r < 0)
        rv_buf_addf(report, "%s cannot be computed with: %s\n", path, why ? why : strerror(-r));
    return r;
}

/* ---- Comparing ---- */

static void compare(struct check *check, const char *what, int64_t recorded, int64_t computed)
{
    if (recorded == computed) {
        rv_buf_addf(check->report, "%s: %" PRId64 ", as recorded\n", what, computed);
        return;
    }
    rv_buf_addf(check->report, "%s: recorded %" PRId64 ", computed %" PRId64 "\n", what, recorded,
                computed);
    check->differing++;
}

static void compare_attributions(struct check *check, const int64_t *recorded,
                                 const int64_t *computed)
{
    unsigned named = 0, differing = check->differing;

    for (size_t i = 0; i < RV_FEATURE_COUNT; i++) {
        named += computed[i] != 0;
        if (recorded[i] == computed[i])
            continue;
        rv_buf_addf(check->report, "attribution of %s: ", rv_feature_info(i)->name);
        rv_buf_addf(check->report, "recorded %" PRId64 ", computed %" PRId64 "\n", recorded[i],
                    computed[i]);
        check->differing++;
    }
    if (check->differing == differing)
        rv_buf_addf(check->report, "attributions: all %d as recorded, %u of them not zero\n",
                    RV_FEATURE_COUNT, named);
}

/** The line that people read states risk and score a second time. */
static void compare_line(struct check *check, const json_t *entry,
                         const struct rv_receipt_verdict *recorded)
{
    int64_t risk = 0, raw_q16 = 0;

    if (!rv_receipt_integer(json_object_get(entry, "risk"), &risk) ||
        !rv_receipt_integer(json_object_get(entry, "raw_q16"), &raw_q16)) {
        rv_buf_add_str(check->report, "the entry itself states no risk and score\n");
        check->differing++;
        return;
    }
    if (risk == recorded->risk && raw_q16 == recorded->raw_q16)
        return;
    rv_buf_add_str(check->report, "the entry states another risk or score than its verdict\n");
    check->differing++;
}

static enum audit_recompute compare_all(const json_t *entry,
                                        const struct rv_receipt_verdict *recorded,
                                        const struct rv_model *model, struct rv_buf *report)
{
    struct check check = { .report = report };
    struct rv_verdict verdict;

    rv_model_judge(model, &recorded->vector, RV_EXPLAIN, &verdict);
    compare(&check, "score, in 1/65536 of a point", recorded->raw_q16, verdict.raw_q16);
    compare(&check, "base, in 1/65536 of a point", recorded->base_q16, verdict.base_q16);
    compare_attributions(&check, recorded->attribution_q16, verdict.attribution_q16);
    rv_buf_addf(report,
                "how rare the score is (%" PRIu64 " of %" PRIu64
                ") is taken as recorded: it depends on what the host had learnt\n",
                recorded->p.above, recorded->p.of);
    compare(&check, "risk", recorded->risk, rv_risk_of_p(recorded->p));
    compare_line(&check, entry, recorded);
    if (check.differing > 0)
        rv_buf_addf(report, "the verdict is not what the model says: %u differ\n", check.differing);
    else
        rv_buf_add_str(report, "the verdict is what the model says of the recorded vector\n");
    return check.differing > 0 ? AUDIT_RECOMPUTE_DIFFERENT : AUDIT_RECOMPUTE_SAME;
}

/** Whether the entry's verdict can be computed here; if not, a line says why. */
static bool comparable(const json_t *entry, const struct rv_model *model,
                       struct rv_receipt_verdict *ret, struct rv_buf *report)
{
    const json_t *verdict = json_object_get(entry, "verdict");
    struct rv_sha256 table = rv_feature_table_digest();
    char hex[RV_SHA256_HEX_LEN + 1];

    if (!json_is_object(verdict)) {
        rv_buf_add_str(report, "the entry has no verdict: no process was scored\n");
        return false;
    }
    if (!names_digest(json_object_get(entry, "feature_table"), &table)) {
        rv_buf_add_str(report, "the vector is of another feature table than this program's; use "
                               "the version of reeve that wrote it\n");
        return false;
    }
    rv_sha256_hex(&model->digest, hex);
    if (!names_digest(json_object_get(verdict, "model"), &model->digest)) {
        rv_buf_addf(report, "another model than %s gave the verdict; name its file with --model\n",
                    hex);
        return false;
    }
    if (!rv_receipt_verdict_read(verdict, ret)) {
        rv_buf_add_str(report, "the verdict lacks a number or has one that cannot be read\n");
        return false;
    }
    rv_buf_addf(report, "model %s, as recorded\n", hex);
    return true;
}

int audit_recompute_decision(const json_t *entry, const char *model_path, struct rv_buf *report,
                             enum audit_recompute *ret_finding)
{
    RV_AUTO(rv_model_free) struct rv_model *model = NULL;
    struct rv_receipt_verdict recorded;
    int r = open_model(model_path, &model, report);

    *ret_finding = AUDIT_RECOMPUTE_UNKNOWN;
    if (r < 0)
        return r;
    if (comparable(entry, model, &recorded, report))
        *ret_finding = compare_all(entry, &recorded, model, report);
    return report->failed ? -ENOMEM : 0;
}
