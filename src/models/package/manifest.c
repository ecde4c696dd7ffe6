/* SPDX-License-Identifier: Apache-2.0 */
/* The members that every manifest has. Integers only: canonical JSON knows no fractions. */
#include "models/package.h"

static json_t *hex_of(const struct rv_sha256 *digest)
{
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(digest, hex);
    return json_string(hex);
}

json_t *rv_manifest_new(const struct rv_manifest_head *head)
{
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:I, s:s, s:[], s:[]}", "format", 1,
                     "kind", head->kind, "name", head->name, "version", head->version,
                     "intended_use", head->intended_use ? head->intended_use : "", "limits",
                     head->limits ? head->limits : "", "width", (json_int_t)head->width,
                     "feature_table", hex_of(&head->feature_table), "seed", (json_int_t)head->seed,
                     "code_version", RV_VERSION, "training_data", "metrics");
}

int rv_manifest_add_data(json_t *manifest, const char *name, const struct rv_sha256 *digest,
                         uint64_t rows, const char *source)
{
    json_t *entry = json_pack("{s:s, s:o, s:I, s:s}", "name", name, "sha256", hex_of(digest),
                              "rows", (json_int_t)rows, "source", source);

    return json_array_append_new(json_object_get(manifest, "training_data"), entry) == 0 ? 0
                                                                                         : -ENOMEM;
}

int rv_manifest_add_metric(json_t *manifest, const char *name, int64_t value_ppm, int64_t low_ppm,
                           int64_t high_ppm)
{
    json_t *entry =
        json_pack("{s:s, s:I, s:I, s:I}", "name", name, "value_ppm", (json_int_t)value_ppm,
                  "low_ppm", (json_int_t)low_ppm, "high_ppm", (json_int_t)high_ppm);

    return json_array_append_new(json_object_get(manifest, "metrics"), entry) == 0 ? 0 : -ENOMEM;
}
