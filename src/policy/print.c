/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and expressions back into human syntax, on canonical lines. */
#include "policy/read.h"

#include "lex.h"

#include <inttypes.h>

void rv_text_print_quoted(struct rv_buf *buf, struct rv_text text)
{
    rv_buf_add_char(buf, '"');
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '"' || c == '\\')
            rv_buf_addf(buf, "\\%c", c);
        else if (c == '\n')
            rv_buf_add_str(buf, "\\n");
        else if (c == '\r')
            rv_buf_add_str(buf, "\\r");
        else if (c == '\t')
            rv_buf_add_str(buf, "\\t");
        else if (c == '\0')
            rv_buf_add_str(buf, "\\0");
        else if (c < ' ' || c == 0x7f)
            rv_buf_addf(buf, "\\x%02x", c);
        else
            rv_buf_add_char(buf, (char)c);
    }
    rv_buf_add_char(buf, '"');
}

static bool is_name(struct rv_text text)
{
    struct rv_lexer lexer = { text.data, text.len, 0 };
    struct rv_token token = rv_lex(&lexer);

    return token.kind == RV_TOKEN_IDENT && token.text.len == text.len && !rv_is_reserved(text);
}

void rv_key_print(struct rv_buf *buf, struct rv_text key)
{
    if (is_name(key))
        rv_buf_add(buf, key.data, key.len);
    else
        rv_text_print_quoted(buf, key);
}

/* ---- Expressions ---- */

/** How tightly a kind binds; operands that bind looser stand in brackets. */
enum binding { LOOSEST, OR, AND, RELATION, SUM, PRODUCT, SIGN, MEMBER };

static enum binding binding_of(const struct rv_expr *expr)
{
    switch (expr->kind) {
    case RV_EXPR_IF:
        return LOOSEST;
    case RV_EXPR_OR:
        return OR;
    case RV_EXPR_AND:
        return AND;
    case RV_EXPR_EQ:
    case RV_EXPR_NE:
    case RV_EXPR_LT:
    case RV_EXPR_LE:
    case RV_EXPR_GT:
    case RV_EXPR_GE:
    case RV_EXPR_IN:
    case RV_EXPR_HAS_ATTR:
    case RV_EXPR_LIKE:
    case RV_EXPR_IS:
        return RELATION;
    case RV_EXPR_ADD:
    case RV_EXPR_SUB:
        return SUM;
    case RV_EXPR_MUL:
        return PRODUCT;
    case RV_EXPR_NOT:
    case RV_EXPR_NEG:
        return SIGN;
    case RV_EXPR_LITERAL:
        return expr->value.kind == RV_VALUE_LONG && expr->value.number < 0 ? SIGN : MEMBER;
    default:
        return MEMBER;
    }
}

static void print_at(struct rv_buf *buf, const struct rv_expr *expr, enum binding least)
{
    bool brackets = binding_of(expr) < least;

    rv_buf_add_str(buf, brackets ? "(" : "");
    rv_expr_print(buf, expr);
    rv_buf_add_str(buf, brackets ? ")" : "");
}

static void print_infix(struct rv_buf *buf, const struct rv_expr *expr, const char *operator)
{
    enum binding binding = binding_of(expr);
    bool chain = binding == OR || binding == AND || binding == SUM || binding == PRODUCT;

    print_at(buf, expr->children[0], chain ? binding : binding + 1);
    rv_buf_addf(buf, " %s ", operator);
    print_at(buf, expr->children[1], binding + 1);
}

static void print_list(struct rv_buf *buf, const struct rv_expr *const *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        rv_buf_add_str(buf, i ? ", " : "");
        rv_expr_print(buf, items[i]);
    }
}

static void print_method(struct rv_buf *buf, const struct rv_expr *expr, const char *name)
{
    print_at(buf, expr->children[0], MEMBER);
    rv_buf_addf(buf, ".%s(", name);
    print_list(buf, expr->children + 1, expr->child_count - 1);
    rv_buf_add_char(buf, ')');
}

static void print_call(struct rv_buf *buf, const struct rv_expr *expr)
{
    const struct rv_call_info *info = rv_call_info((enum rv_call)expr->call);

    if (info->method && expr->child_count > 0) {
        print_method(buf, expr, info->name);
        return;
    }
    rv_buf_addf(buf, "%s(", info->name);
    print_list(buf, expr->children, expr->child_count);
    rv_buf_add_char(buf, ')');
}

static void print_pattern(struct rv_buf *buf, const struct rv_pattern *pattern)
{
    rv_buf_add_char(buf, '"');
    for (uint32_t i = 0; i < pattern->count; i++) {
        struct rv_buf quoted = { 0 };

        rv_text_print_quoted(&quoted, pattern->parts[i].text);
        for (size_t k = 1; k + 1 < quoted.len; k++) {
            if (quoted.data[k] == '*')
                rv_buf_add_char(buf, '\\');
            rv_buf_add_char(buf, quoted.data[k]);
        }
        rv_buf_done(&quoted);
        if (pattern->parts[i].star)
            rv_buf_add_char(buf, '*');
    }
    rv_buf_add_char(buf, '"');
}

static void print_attr(struct rv_buf *buf, const struct rv_expr *expr)
{
    print_at(buf, expr->children[0], MEMBER);
    if (is_name(expr->name)) {
        rv_buf_add_char(buf, '.');
        rv_buf_add(buf, expr->name.data, expr->name.len);
    } else {
        rv_buf_add_char(buf, '[');
        rv_text_print_quoted(buf, expr->name);
        rv_buf_add_char(buf, ']');
    }
}

static void print_record(struct rv_buf *buf, const struct rv_expr *expr)
{
    rv_buf_add_char(buf, '{');
    for (uint32_t i = 0; i < expr->child_count; i++) {
        rv_buf_add_str(buf, i ? ", " : "");
        rv_key_print(buf, expr->keys[i]);
        rv_buf_add_str(buf, ": ");
        rv_expr_print(buf, expr->children[i]);
    }
    rv_buf_add_char(buf, '}');
}

static void print_word(struct rv_buf *buf, const struct rv_expr *expr)
{
    print_at(buf, expr->children[0], SUM);
    if (expr->kind == RV_EXPR_HAS_ATTR) {
        rv_buf_add_str(buf, " has ");
        rv_key_print(buf, expr->name);
    } else if (expr->kind == RV_EXPR_LIKE) {
        rv_buf_add_str(buf, " like ");
        print_pattern(buf, &expr->pattern);
    } else {
        rv_buf_addf(buf, " is %.*s", RV_TEXT_ARGS(expr->name));
        if (expr->child_count == 2) {
            rv_buf_add_str(buf, " in ");
            print_at(buf, expr->children[1], SUM);
        }
    }
}

/** The smallest number is a literal only with its sign before it. */
static void print_negation(struct rv_buf *buf, const struct rv_expr *expr)
{
    const struct rv_expr *inner = expr->children[0];
    bool digits = inner->kind == RV_EXPR_LITERAL && inner->value.kind == RV_VALUE_LONG;

    rv_buf_add_char(buf, '-');
    if (digits)
        rv_buf_addf(buf, "(%" PRId64 ")", inner->value.number);
    else
        print_at(buf, inner, MEMBER);
}

static const char *const infix[RV_EXPR_KIND_COUNT_] = {
    [RV_EXPR_AND] = "&&", [RV_EXPR_OR] = "||", [RV_EXPR_EQ] = "==", [RV_EXPR_NE] = "!=",
    [RV_EXPR_LT] = "<",   [RV_EXPR_LE] = "<=", [RV_EXPR_GT] = ">",  [RV_EXPR_GE] = ">=",
    [RV_EXPR_ADD] = "+",  [RV_EXPR_SUB] = "-", [RV_EXPR_MUL] = "*", [RV_EXPR_IN] = "in",
};

static const char *const method_names[RV_EXPR_KIND_COUNT_] = {
    [RV_EXPR_CONTAINS] = "contains",        [RV_EXPR_CONTAINS_ALL] = "containsAll",
    [RV_EXPR_CONTAINS_ANY] = "containsAny", [RV_EXPR_IS_EMPTY] = "isEmpty",
    [RV_EXPR_GET_TAG] = "getTag",           [RV_EXPR_HAS_TAG] = "hasTag",
};

void rv_expr_print(struct rv_buf *buf, const struct rv_expr *expr)
{
    static const char *const variables[] = { "principal", "action", "resource", "context" };

    if (infix[expr->kind]) {
        print_infix(buf, expr, infix[expr->kind]);
        return;
    }
    if (method_names[expr->kind]) {
        print_method(buf, expr, method_names[expr->kind]);
        return;
    }
    switch (expr->kind) {
    case RV_EXPR_LITERAL:
        rv_value_print(buf, &expr->value);
        break;
    case RV_EXPR_VAR:
        rv_buf_add_str(buf, variables[expr->var]);
        break;
    case RV_EXPR_SLOT:
        rv_buf_add_str(buf, expr->slot == RV_SLOT_PRINCIPAL ? "?principal" : "?resource");
        break;
    case RV_EXPR_NOT:
        rv_buf_add_char(buf, '!');
        print_at(buf, expr->children[0], MEMBER);
        break;
    case RV_EXPR_NEG:
        print_negation(buf, expr);
        break;
    case RV_EXPR_IF:
        rv_buf_add_str(buf, "if ");
        rv_expr_print(buf, expr->children[0]);
        rv_buf_add_str(buf, " then ");
        rv_expr_print(buf, expr->children[1]);
        rv_buf_add_str(buf, " else ");
        rv_expr_print(buf, expr->children[2]);
        break;
    case RV_EXPR_GET_ATTR:
        print_attr(buf, expr);
        break;
    case RV_EXPR_HAS_ATTR:
    case RV_EXPR_LIKE:
    case RV_EXPR_IS:
        print_word(buf, expr);
        break;
    case RV_EXPR_SET:
        rv_buf_add_char(buf, '[');
        print_list(buf, expr->children, expr->child_count);
        rv_buf_add_char(buf, ']');
        break;
    case RV_EXPR_RECORD:
        print_record(buf, expr);
        break;
    case RV_EXPR_CALL:
        print_call(buf, expr);
        break;
    default:
        break;
    }
}

/* ---- Policies ---- */

static void print_target(struct rv_buf *buf, const char *name, const struct rv_scope *scope)
{
    if (scope->slot != RV_SLOT_NONE)
        rv_buf_addf(buf, "?%s", name);
    else
        rv_uid_print(buf, scope->uid);
}

static void print_scope(struct rv_buf *buf, const char *name, const struct rv_scope *scope)
{
    rv_buf_add_str(buf, name);
    switch ((enum rv_scope_kind)scope->kind) {
    case RV_SCOPE_ANY:
        break;
    case RV_SCOPE_EQ:
        rv_buf_add_str(buf, " == ");
        print_target(buf, name, scope);
        break;
    case RV_SCOPE_IN:
        rv_buf_add_str(buf, " in ");
        print_target(buf, name, scope);
        break;
    case RV_SCOPE_IS:
        rv_buf_addf(buf, " is %.*s", RV_TEXT_ARGS(scope->type));
        break;
    case RV_SCOPE_IS_IN:
        rv_buf_addf(buf, " is %.*s in ", RV_TEXT_ARGS(scope->type));
        print_target(buf, name, scope);
        break;
    case RV_SCOPE_IN_SET:
        rv_buf_add_str(buf, " in [");
        for (uint32_t i = 0; i < scope->uid_count; i++) {
            rv_buf_add_str(buf, i ? ", " : "");
            rv_uid_print(buf, scope->uids[i]);
        }
        rv_buf_add_char(buf, ']');
        break;
    }
}

void rv_policy_print(struct rv_buf *buf, const struct rv_policy *policy)
{
    for (uint32_t i = 0; i < policy->annotation_count; i++) {
        const struct rv_annotation *annotation = &policy->annotations[i];

        rv_buf_addf(buf, "@%.*s", RV_TEXT_ARGS(annotation->name));
        rv_buf_add_char(buf, '(');
        rv_text_print_quoted(buf, annotation->value);
        rv_buf_add_str(buf, ")\n");
    }
    rv_buf_add_str(buf, policy->effect == RV_EFFECT_ALLOW ? "permit (\n  " : "forbid (\n  ");
    print_scope(buf, "principal", &policy->principal);
    rv_buf_add_str(buf, ",\n  ");
    print_scope(buf, "action", &policy->action);
    rv_buf_add_str(buf, ",\n  ");
    print_scope(buf, "resource", &policy->resource);
    rv_buf_add_str(buf, "\n)");
    for (uint32_t i = 0; i < policy->condition_count; i++) {
        rv_buf_add_str(buf, policy->conditions[i].unless ? "\nunless { " : "\nwhen { ");
        rv_expr_print(buf, policy->conditions[i].body);
        rv_buf_add_str(buf, " }");
    }
    rv_buf_add_str(buf, ";\n");
}
