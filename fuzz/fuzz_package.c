/* SPDX-License-Identifier: Apache-2.0 */
/* A model package, its cards, and as a model of the host. */
#include "forest_check.h"

#include "enforce/score_package.h"
#include "models/card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rv_package *package = NULL;
    struct rv_model *model = NULL;
    struct rv_score_package *kernel = NULL;
    struct rv_forest *forest = NULL;
    struct rv_buf text = { 0 }, bom = { 0 }, page = { 0 };
    const char *why = NULL;

    if (rv_package_open(rv_span(data, len), &package, &why) < 0) {
        CHECK(why != NULL);
        return 0;
    }
    (void)!rv_card_text(package, &text);
    (void)!rv_card_cyclonedx(package, &bom);
    (void)!rv_card_html(package, &page);
    if (rv_package_forest(package, "forest", &forest, &why) == 0) {
        struct rv_row_set golden = { 0 };

        (void)!rv_golden_check(forest, rv_package_section(package, "golden"), &golden);
        rv_row_set_done(&golden);
        check_forest(forest);
    }
    if (rv_forest_model_open(package, &model, &why) == 0)
        rv_model_free(&model);
    if (rv_score_package_open(package, &kernel, &why) == 0)
        CHECK(rv_score_check_heads(&rv_score_package_candidate(kernel)->model) == 0);
    rv_score_package_free(&kernel);
    rv_forest_free(&forest);
    rv_buf_done(&text);
    rv_buf_done(&bom);
    rv_buf_done(&page);
    rv_package_free(&package);
    return 0;
}
