/* SPDX-License-Identifier: Apache-2.0 */
/* What is common to every kind of model. */
#include "models/model.h"

void rv_model_judge(const struct rv_model *model, const struct rv_vector *vector,
                    enum rv_explain explain, struct rv_verdict *ret_verdict)
{
    memset(ret_verdict, 0, sizeof(*ret_verdict));
    ret_verdict->model = model->digest;
    if (explain == RV_EXPLAIN)
        model->ops->explain(model, vector, ret_verdict);
    else
        ret_verdict->raw_q16 = model->ops->score_q16(model, vector);
}

void rv_model_free(struct rv_model **model)
{
    if (!*model)
        return;
    (*model)->ops->free(*model);
    *model = NULL;
}
