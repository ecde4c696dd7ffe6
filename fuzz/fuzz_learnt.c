/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of what was learnt: the host's baseline, a calibration, a profile. The checksum is made
 * right first, so that what lies behind it is reached.
 */
#include "base/hash.h"
#include "features/features.h"
#include "models/calibration.h"
#include "models/drift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void mend(uint8_t *bytes, size_t len)
{
    uint32_t crc = rv_crc32c(0, bytes, len - 4);

    for (unsigned i = 0; i < 4; i++)
        bytes[len - 4 + i] = (uint8_t)(crc >> (8 * i));
}

static void load_all(struct rv_span bytes)
{
    static const struct rv_features_options options = {
        .process_max = 16, .thread_max = 8, .program_max = 16, .workload_max = 16, .edge_max = 64
    };
    struct rv_features *features = NULL;
    struct rv_calibration *calibration = NULL;
    struct rv_profile *profile = calloc(1, sizeof(*profile));
    const char *why;

    if (rv_features_new(&features, &options) == 0)
        (void)!rv_features_load(features, bytes, &why);
    if (rv_calibration_load(&calibration, bytes, &why) == 0) {
        rv_calibration_add(calibration, 0, 1234567, 3);
        (void)rv_calibration_risk(calibration, 0, 1234567);
        (void)rv_calibration_threshold_q16(calibration, 0, 0.01, 0.05);
    }
    if (profile)
        (void)!rv_profile_load(profile, bytes, &why);
    free(profile);
    rv_calibration_free(&calibration);
    rv_features_free(&features);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *copy;

    load_all(rv_span(data, len));
    if (len < 8)
        return 0;
    copy = malloc(len);
    if (!copy)
        return 0;
    memcpy(copy, data, len);
    mend(copy, len);
    load_all(rv_span(copy, len));
    free(copy);
    return 0;
}
