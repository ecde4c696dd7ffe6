/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the type checker for extension functions and methods. */
#include "check_rules.h"

static bool refuses_ip(struct rv_text text)
{
    struct rv_ip ip;

    return rv_ip_parse(text, &ip) < 0;
}

static bool refuses_decimal(struct rv_text text)
{
    int64_t number;

    return rv_decimal_parse(text, &number) < 0;
}

static bool refuses_datetime(struct rv_text text)
{
    int64_t number;

    return rv_datetime_parse(text, &number) < 0;
}

static bool refuses_duration(struct rv_text text)
{
    int64_t number;

    return rv_duration_parse(text, &number) < 0;
}

/** A hole is a function that constructs nothing. */
static const struct constructor {
    bool (*refuses)(struct rv_text text);
    const char *help;
} constructors[RV_CALL_COUNT_] = {
    [RV_CALL_IP] = { refuses_ip,
                     "write it as ip(\"192.168.0.1\"), ip(\"10.0.0.0/8\") or ip(\"::1\")" },
    [RV_CALL_DECIMAL] = { refuses_decimal,
                          "write it as decimal(\"12.34\"), one to four digits after the point" },
    [RV_CALL_DATETIME] = { refuses_datetime, "write it as datetime(\"2026-01-31\") or "
                                             "datetime(\"2026-01-31T12:00:00Z\")" },
    [RV_CALL_DURATION] = { refuses_duration, "write it as duration(\"1d2h3m4s5ms\")" },
};

/** Number of arguments, and the text of a constructor. @return false with messages. */
static bool check_call_form(struct checker *checker, const struct rv_expr *expr)
{
    enum rv_call call = (enum rv_call)expr->call;
    const struct rv_call_info *info = rv_call_info(call);
    const struct constructor *constructor = &constructors[call];
    const struct rv_expr *first = expr->child_count == 1 ? expr->children[0] : NULL;
    struct rv_value room;
    bool fine = true;

    if (expr->child_count != info->arg_count) {
        unsigned self = info->method ? 1 : 0;

        fine = false;
        check_report(checker, "argument-count", expr->loc, NULL,
                     "`%s` takes %u argument%s, but here are %u", info->name,
                     info->arg_count - self, info->arg_count - self == 1 ? "" : "s",
                     expr->child_count - (expr->child_count > 0 ? self : 0));
    }
    if (first && constructor->refuses && first->kind == RV_EXPR_LITERAL &&
        first->value.kind == RV_VALUE_STRING &&
        constructor->refuses(rv_text(first->value.text, first->value.count))) {
        fine = false;
        check_report(checker, "extension-literal", first->loc, constructor->help,
                     "`%s` does not accept this text", info->name);
    }
    for (uint32_t i = 0;
         constructor->refuses && checker->types.mode == RV_VALIDATE_STRICT && i < expr->child_count;
         i++) {
        if (check_literal(expr->children[i], &room))
            continue;
        check_report(checker, "non-literal", expr->children[i]->loc,
                     "write the text itself, so that it can be checked beforehand",
                     "`%s` must be given a string literal", info->name);
        return false;
    }
    return fine;
}

struct check_answer check_call(struct checker *checker, struct check_caps prior,
                               const struct rv_expr *expr)
{
    const struct rv_call_info *info = rv_call_info((enum rv_call)expr->call);
    const struct rv_type *result = info->result == RV_VALUE_BOOL
                                       ? check_bool()
                                       : rv_type_basic((enum rv_value_kind)info->result);
    bool fine = check_call_form(checker, expr), wellformed = fine;

    for (uint32_t i = 0; i < expr->child_count; i++) {
        if (wellformed)
            fine &=
                check_expect(checker, prior, expr->children[i], check_want_of(info->args[i])).good;
        else
            (void)check_any(checker, prior, expr->children[i]);
    }
    return fine ? check_good(result) : check_bad(result);
}
