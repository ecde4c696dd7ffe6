/* SPDX-License-Identifier: Apache-2.0 */
#include "draft.h"

/* ---- Terms ---- */

static unsigned group_of(const struct rv_host_term *term)
{
    if (term->subject == RV_TERM_FLAG)
        return (unsigned)(RV_TERM_FLAG + term->number);
    return term->subject == RV_TERM_FOLDER ? RV_TERM_FILE : term->subject;
}

/** A process, file or socket has one of these at a time. */
static bool has_one_value(unsigned group)
{
    static const bool single[RV_DRAFT_GROUPS] = {
        [RV_TERM_PROGRAM] = true,   [RV_TERM_PROGRAM_NAME] = true, [RV_TERM_KIND] = true,
        [RV_TERM_UID] = true,       [RV_TERM_EUID] = true,         [RV_TERM_GID] = true,
        [RV_TERM_FILE_NAME] = true, [RV_TERM_FILE_KIND] = true,    [RV_TERM_PORT] = true,
        [RV_TERM_FAMILY] = true,    [RV_TERM_PROTOCOL] = true,
    };

    return single[group];
}

static int compare_terms(const struct rv_host_term *a, const struct rv_host_term *b)
{
    if (a->subject != b->subject)
        return a->subject < b->subject ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return rv_text_compare(a->text, b->text);
}

static bool is_below(struct rv_text path, struct rv_text folder)
{
    size_t len = folder.len == 1 ? 0 : folder.len; /* "/" */

    return path.len > len + 1 && memcmp(path.data, folder.data, len) == 0 && path.data[len] == '/';
}

struct range {
    uint8_t bytes[16];
    unsigned bits;
};

static bool read_range(struct rv_text text, struct range *ret)
{
    struct rv_ip ip;
    unsigned skip;

    if (rv_ip_parse(text, &ip) < 0)
        return false;
    skip = ip.v6 ? 0 : 12;
    *ret = (struct range){ .bits = ip.bits + skip * 8 };
    if (skip)
        ret->bytes[10] = ret->bytes[11] = 0xff;
    memcpy(ret->bytes + skip, ip.bytes, 16 - skip);
    return true;
}

static bool range_within(struct rv_text inner, struct rv_text outer)
{
    struct range a, b;
    unsigned whole;

    if (!read_range(inner, &a) || !read_range(outer, &b) || a.bits < b.bits)
        return false;
    whole = b.bits / 8;
    return memcmp(a.bytes, b.bytes, whole) == 0 &&
           (b.bits % 8 == 0 || ((a.bytes[whole] ^ b.bytes[whole]) & (0xff00 >> b.bits % 8)) == 0);
}

/** Whatever `inner` holds of, `outer` holds of too. */
static bool implies(const struct rv_host_term *inner, const struct rv_host_term *outer)
{
    if (compare_terms(inner, outer) == 0)
        return true;
    if (outer->subject == RV_TERM_FOLDER)
        return (inner->subject == RV_TERM_FILE || inner->subject == RV_TERM_FOLDER) &&
               is_below(inner->text, outer->text);
    return inner->subject == RV_TERM_ADDRESS && outer->subject == RV_TERM_ADDRESS &&
           range_within(inner->text, outer->text);
}

/* ---- Lists ---- */

static int compare_items(const void *a, const void *b)
{
    return compare_terms(a, b);
}

/** Sorted, each once; texts are copied. */
static struct rv_terms keep(struct rv_arena *arena, const struct rv_host_term *items, size_t count)
{
    struct rv_host_term *kept = rv_arena_array(arena, count, sizeof(*kept));
    uint32_t used = 0;

    if (!kept)
        return (struct rv_terms){ 0 };
    if (count > 0)
        memcpy(kept, items, count * sizeof(*kept));
    qsort(kept, count, sizeof(*kept), compare_items);
    for (size_t i = 0; i < count; i++) {
        if (used == 0 || compare_terms(&kept[used - 1], &kept[i]) != 0)
            kept[used++] = kept[i];
    }
    for (uint32_t i = 0; i < used; i++)
        kept[i].text = rv_arena_text(arena, kept[i].text.data, kept[i].text.len);
    return (struct rv_terms){ kept, used };
}

static bool has_term(struct rv_terms terms, const struct rv_host_term *term)
{
    for (uint32_t i = 0; i < terms.count; i++) {
        if (compare_terms(&terms.items[i], term) == 0)
            return true;
    }
    return false;
}

static bool within(struct rv_terms some, struct rv_terms all)
{
    for (uint32_t i = 0; i < some.count; i++) {
        if (!has_term(all, &some.items[i]))
            return false;
    }
    return true;
}

static bool same(struct rv_terms a, struct rv_terms b)
{
    return a.count == b.count && within(a, b);
}

static struct rv_terms unite(struct rv_arena *arena, struct rv_terms a, struct rv_terms b)
{
    struct rv_host_term *both = rv_arena_array(arena, (size_t)a.count + b.count, sizeof(*both));

    if (!both || a.count == 0 || b.count == 0) /* one of them asks nothing */
        return (struct rv_terms){ 0 };
    memcpy(both, a.items, a.count * sizeof(*both));
    memcpy(both + a.count, b.items, b.count * sizeof(*both));
    return keep(arena, both, (size_t)a.count + b.count);
}

/* ---- Meeting ---- */

/** Alternatives that are in both lists. */
static enum rv_draft_outcome meet_lists(struct rv_arena *arena, unsigned group, struct rv_terms a,
                                        struct rv_terms b, struct rv_terms *ret)
{
    struct rv_host_term *met;
    size_t count = 0;

    if (!has_one_value(group) && group != RV_TERM_FILE && group != RV_TERM_ADDRESS) {
        if (!within(a, b) && !within(b, a))
            return RV_DRAFT_CANNOT;
        *ret = within(a, b) ? a : b;
        return RV_DRAFT_GOES_ON;
    }
    met = rv_arena_array(arena, (size_t)a.count * b.count, sizeof(*met));
    for (uint32_t i = 0; met && i < a.count; i++) {
        for (uint32_t k = 0; k < b.count; k++) {
            if (implies(&a.items[i], &b.items[k]))
                met[count++] = a.items[i];
            else if (implies(&b.items[k], &a.items[i]))
                met[count++] = b.items[k];
        }
    }
    *ret = met ? keep(arena, met, count) : (struct rv_terms){ 0 };
    return count > 0 ? RV_DRAFT_GOES_ON : RV_DRAFT_NEVER;
}

static enum rv_draft_outcome meet_group(struct rv_draft *draft, unsigned group,
                                        const struct rv_meaning *meaning, struct rv_arena *arena)
{
    struct rv_host_term items[RV_MEANING_TERMS_MAX];
    struct rv_terms *own = &draft->affirmed[group], more;
    size_t count = 0;

    for (uint32_t i = 0; i < meaning->affirmed_count; i++) {
        if (group_of(&meaning->affirmed[i]) == group)
            items[count++] = meaning->affirmed[i];
    }
    if (count == 0)
        return RV_DRAFT_GOES_ON;
    more = keep(arena, items, count);
    if (own->count > 0)
        return meet_lists(arena, group, *own, more, own);
    *own = more;
    return RV_DRAFT_GOES_ON;
}

enum rv_draft_outcome rv_draft_meet(struct rv_draft *draft, const struct rv_meaning *meaning,
                                    struct rv_arena *arena)
{
    struct rv_terms negated = keep(arena, meaning->negated, meaning->negated_count);

    if (meaning->kind == RV_MEANS_NEVER)
        return RV_DRAFT_NEVER;
    for (unsigned group = 0; group < RV_DRAFT_GROUPS; group++) {
        enum rv_draft_outcome outcome = meet_group(draft, group, meaning, arena);

        if (outcome != RV_DRAFT_GOES_ON)
            return outcome;
    }
    if (draft->negated.count == 0)
        draft->negated = negated;
    else if (negated.count > 0)
        draft->negated = unite(arena, draft->negated, negated);
    draft->risk_min = (uint32_t)rv_max_u64(draft->risk_min, meaning->risk_min);
    draft->risk_max = (uint32_t)rv_min_u64(draft->risk_max, meaning->risk_max);
    return draft->risk_min <= draft->risk_max ? RV_DRAFT_GOES_ON : RV_DRAFT_NEVER;
}

static bool excluded(const struct rv_host_term *term, struct rv_terms negated)
{
    for (uint32_t i = 0; i < negated.count; i++) {
        if (implies(term, &negated.items[i]))
            return true;
    }
    return false;
}

/** Whether a negated term takes anything away from the alternatives of its group. */
static bool matters(const struct rv_host_term *negated, struct rv_terms affirmed)
{
    for (uint32_t i = 0; i < affirmed.count; i++) {
        if (implies(negated, &affirmed.items[i]))
            return true;
    }
    return affirmed.count == 0;
}

enum rv_draft_outcome rv_draft_finish(struct rv_draft *draft, struct rv_arena *arena)
{
    struct rv_host_term *left;
    size_t count = 0;

    for (unsigned group = 0; group < RV_DRAFT_GROUPS; group++) {
        struct rv_terms *own = &draft->affirmed[group];

        left = rv_arena_array(arena, own->count, sizeof(*left));
        count = 0;
        for (uint32_t i = 0; left && i < own->count; i++) {
            if (!excluded(&own->items[i], draft->negated))
                left[count++] = own->items[i];
        }
        if (own->count > 0 && count == 0)
            return RV_DRAFT_NEVER;
        *own = (struct rv_terms){ left, (uint32_t)count };
    }
    left = rv_arena_array(arena, draft->negated.count, sizeof(*left));
    count = 0;
    for (uint32_t i = 0; left && i < draft->negated.count; i++) {
        unsigned group = group_of(&draft->negated.items[i]);
        bool one = has_one_value(group) || group == RV_TERM_FILE || group == RV_TERM_ADDRESS;

        if (!one || matters(&draft->negated.items[i], draft->affirmed[group]))
            left[count++] = draft->negated.items[i];
    }
    draft->negated = (struct rv_terms){ left, (uint32_t)count };
    return RV_DRAFT_GOES_ON;
}

/* ---- Lists of drafts ---- */

void rv_drafts_done(struct rv_drafts *drafts)
{
    free(drafts->items);
    *drafts = (struct rv_drafts){ 0 };
}

int rv_drafts_add(struct rv_drafts *drafts, const struct rv_draft *draft)
{
    if (drafts->count == drafts->room) {
        uint32_t room = drafts->room ? drafts->room * 2 : 16;
        struct rv_draft *items = reallocarray(drafts->items, room, sizeof(*items));

        if (!items)
            return -ENOMEM;
        drafts->items = items;
        drafts->room = room;
    }
    drafts->items[drafts->count++] = *draft;
    return 0;
}

/** The one thing in which two drafts differ: a group, or RV_DRAFT_GROUPS for the actions. */
static bool differ_in_one(const struct rv_draft *a, const struct rv_draft *b, unsigned *ret_where)
{
    unsigned differences = 0, where = RV_DRAFT_GROUPS;

    if (a->risk_min != b->risk_min || a->risk_max != b->risk_max || !same(a->negated, b->negated))
        return false;
    for (unsigned group = 0; group < RV_DRAFT_GROUPS && differences < 2; group++) {
        if (!same(a->affirmed[group], b->affirmed[group])) {
            where = group;
            differences++;
        }
    }
    differences += a->actions != b->actions;
    *ret_where = where;
    return differences < 2;
}

/** One pass over one thing that may differ. @return whether anything was merged. */
static bool merge_where(struct rv_drafts *drafts, unsigned wanted, struct rv_arena *arena)
{
    bool merged = false;

    for (uint32_t i = 0; i < drafts->count; i++) {
        struct rv_draft *a = &drafts->items[i];
        uint32_t kept = i + 1;

        for (uint32_t k = i + 1; k < drafts->count; k++) {
            const struct rv_draft *b = &drafts->items[k];
            unsigned where;

            if (!differ_in_one(a, b, &where) || where != wanted) {
                drafts->items[kept++] = *b;
                continue;
            }
            merged = true;
            a->actions |= b->actions;
            if (where < RV_DRAFT_GROUPS)
                a->affirmed[where] = unite(arena, a->affirmed[where], b->affirmed[where]);
        }
        drafts->count = kept;
    }
    return merged;
}

/** Whether drafts differ there at all: most ask the same of most groups. */
static bool varies(const struct rv_drafts *drafts, unsigned where)
{
    for (uint32_t i = 1; i < drafts->count; i++) {
        if (!same(drafts->items[0].affirmed[where], drafts->items[i].affirmed[where]))
            return true;
    }
    return false;
}

void rv_drafts_merge(struct rv_drafts *drafts, struct rv_arena *arena)
{
    bool merged = true;

    while (merged && !arena->failed) {
        merged = false;
        for (unsigned where = 0; where <= RV_DRAFT_GROUPS; where++) {
            if (where == RV_DRAFT_GROUPS || varies(drafts, where))
                merged |= merge_where(drafts, where, arena);
        }
    }
}

uint32_t rv_draft_terms(const struct rv_draft *draft)
{
    uint32_t count = draft->negated.count;

    for (unsigned group = 0; group < RV_DRAFT_GROUPS; group++)
        count += draft->affirmed[group].count;
    return count;
}

int rv_drafts_cut(struct rv_drafts *drafts)
{
    for (uint32_t i = 0; i < drafts->count; i++) {
        uint32_t excess = rv_draft_terms(&drafts->items[i]);
        struct rv_draft rest = drafts->items[i];
        unsigned largest = 0;
        int r;

        if (excess <= RV_RULE_TERMS_MAX)
            continue;
        excess -= RV_RULE_TERMS_MAX;
        for (unsigned group = 1; group < RV_DRAFT_GROUPS; group++) {
            if (rest.affirmed[group].count > rest.affirmed[largest].count)
                largest = group;
        }
        if (rest.affirmed[largest].count <= 1)
            return -E2BIG;
        excess = (uint32_t)rv_min_u64(excess, rest.affirmed[largest].count - 1);
        drafts->items[i].affirmed[largest].count -= excess;
        rest.affirmed[largest].items += rest.affirmed[largest].count - excess;
        rest.affirmed[largest].count = excess;
        r = rv_drafts_add(drafts, &rest);
        if (r < 0)
            return r;
        i--; /* it may still be too long */
    }
    return 0;
}

static void write_term(const struct rv_host_term *term, bool negated, struct rv_rule *rule)
{
    struct rv_rule_term *to = &rule->terms[rule->term_count++];

    assert(rule->term_count <= RV_RULE_TERMS_MAX && term->text.len < RV_RULE_TEXT_MAX);
    to->subject = term->subject;
    to->negated = negated;
    to->number = term->number;
    if (term->text.len > 0)
        memcpy(to->text, term->text.data, term->text.len);
}

void rv_draft_write(const struct rv_draft *draft, struct rv_rule *rule)
{
    rule->actions = draft->actions;
    rule->risk_min = (uint16_t)draft->risk_min;
    rule->risk_max = (uint16_t)draft->risk_max;
    for (unsigned group = 0; group < RV_DRAFT_GROUPS; group++) {
        for (uint32_t i = 0; i < draft->affirmed[group].count; i++)
            write_term(&draft->affirmed[group].items[i], false, rule);
    }
    for (uint32_t i = 0; i < draft->negated.count; i++)
        write_term(&draft->negated.items[i], true, rule);
}
