/* SPDX-License-Identifier: Apache-2.0 */
/* One literal as terms of a rule. What a rule cannot hold exactly is unknown, never rounded. */
#include "vocabulary.h"

#include "features/program.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#define VALUES_MAX 16 /* single values that a range may be written out as */

struct asking {
    const struct rv_host_question *question;
    const struct rv_rules_options *options;
    const struct rv_atom *atom;
    enum rv_literal_mode mode;
    struct rv_meaning *result;
};

static bool is_true(const struct asking *asking)
{
    return asking->mode == RV_LITERAL_TRUE || asking->mode == RV_LITERAL_NOT_FALSE;
}

static void unknown(struct asking *asking, enum rv_place place, const char *why)
{
    asking->result->kind = RV_MEANS_UNKNOWN;
    asking->result->place = place;
    asking->result->why = why;
}

static void add(struct asking *asking, bool affirmed, struct rv_host_term term)
{
    struct rv_meaning *result = asking->result;

    assert(result->affirmed_count < RV_MEANING_TERMS_MAX &&
           result->negated_count < RV_MEANING_TERMS_MAX);
    if (affirmed)
        result->affirmed[result->affirmed_count++] = term;
    else
        result->negated[result->negated_count++] = term;
}

static void add_number(struct asking *asking, bool affirmed, enum rv_rule_subject subject,
                       uint64_t number)
{
    add(asking, affirmed, (struct rv_host_term){ (uint8_t)subject, number, { 0 } });
}

static void add_text(struct asking *asking, enum rv_rule_subject subject, struct rv_text text)
{
    add(asking, is_true(asking), (struct rv_host_term){ (uint8_t)subject, 0, text });
}

/** It can hold nowhere. */
static void impossible(struct asking *asking)
{
    if (is_true(asking))
        asking->result->kind = RV_MEANS_NEVER;
}

/* ---- Numbers ---- */

static void mean_risk(struct asking *asking, const struct rv_interval *interval)
{
    struct rv_meaning *result = asking->result;

    if (is_true(asking)) {
        result->risk_min = (uint32_t)interval->min;
        result->risk_max = (uint32_t)interval->max;
    } else if (interval->min == 0) {
        result->risk_min = (uint32_t)interval->max + 1;
    } else if (interval->max == interval->domain_max) {
        result->risk_max = (uint32_t)interval->min - 1;
    } else {
        unknown(asking, RV_PLACE_INLINE, "a rule has one range of risk");
    }
}

static void mean_number(struct asking *asking, const struct rv_host_fact *fact)
{
    struct rv_interval in = rv_host_interval(fact, asking->atom);
    int64_t inside = in.max - in.min + 1;
    int64_t outside = in.domain_max - in.domain_min + 1 - inside;
    bool spell_inside = inside <= VALUES_MAX;

    if (fact->subject == RV_TERM_SUBJECTS_) {
        mean_risk(asking, &in);
        return;
    }
    if (!spell_inside && outside > VALUES_MAX) {
        unknown(asking, RV_PLACE_INLINE, "rules hold single values, not ranges");
        return;
    }
    for (int64_t i = 0; i < (spell_inside ? inside : outside); i++) {
        int64_t below = in.min - in.domain_min;
        int64_t value = spell_inside ? in.min + i
                        : i < below  ? in.domain_min + i
                                     : in.max + 1 + i - below;

        add_number(asking, spell_inside == is_true(asking), fact->subject, (uint64_t)value);
    }
}

/* ---- Texts ---- */

/** As the kernel writes it: absolute, no empty, "." or ".." component, no slash at the end. */
static bool is_plain_path(struct rv_text path)
{
    static const char *const odd[] = { "//", "/./", "/../" };

    if (path.len == 0 || path.len >= RV_RULE_TEXT_MAX || path.data[0] != '/' ||
        memchr(path.data, '\0', path.len))
        return false;
    for (size_t i = 0; i < RV_COUNT(odd); i++) {
        if (memmem(path.data, path.len, odd[i], strlen(odd[i])))
            return false;
    }
    for (size_t i = 1; i < RV_COUNT(odd); i++) {
        size_t len = strlen(odd[i]) - 1;

        if (path.len >= len && memcmp(path.data + path.len - len, odd[i], len) == 0)
            return false;
    }
    return path.len == 1 || path.data[path.len - 1] != '/';
}

static void mean_path(struct asking *asking, enum rv_rule_subject subject, struct rv_text path)
{
    if (is_plain_path(path))
        add_text(asking, subject, path);
    else
        unknown(asking, RV_PLACE_INLINE, "it is no plain path of a rule's length");
}

static void mean_name(struct asking *asking, enum rv_rule_subject subject, struct rv_text name)
{
    if (name.len > 0 && memchr(name.data, '/', name.len))
        impossible(asking);
    else if (name.len == 0 || name.len >= RV_RULE_TEXT_MAX || memchr(name.data, '\0', name.len))
        unknown(asking, RV_PLACE_INLINE, "it is no name of a rule's length");
    else
        add_text(asking, subject, name);
}

/** A pattern that takes one text only. */
static bool is_text(const struct rv_pattern *pattern, struct rv_text *ret_text)
{
    if (pattern->count > 1 || (pattern->count == 1 && pattern->parts[0].star))
        return false;
    *ret_text = pattern->count ? pattern->parts[0].text : rv_text_str("");
    return true;
}

static bool is_anything(const struct rv_pattern *pattern)
{
    for (uint32_t i = 0; i < pattern->count; i++) {
        if (pattern->parts[i].text.len > 0)
            return false;
    }
    return pattern->count > 0 && pattern->parts[0].star;
}

static void mean_program(struct asking *asking)
{
    const struct rv_pattern *pattern = &asking->atom->pattern;
    struct rv_text text;

    if (asking->atom->op == RV_LITERAL_EQ) {
        mean_path(asking, RV_TERM_PROGRAM,
                  rv_text(asking->atom->value.text, asking->atom->value.count));
    } else if (is_text(pattern, &text)) {
        mean_path(asking, RV_TERM_PROGRAM, text);
    } else if (pattern->count == 2 && pattern->parts[0].text.len == 0 && pattern->parts[0].star &&
               !pattern->parts[1].star && pattern->parts[1].text.len > 1 &&
               pattern->parts[1].text.data[0] == '/' &&
               !memchr(pattern->parts[1].text.data + 1, '/', pattern->parts[1].text.len - 1)) {
        text = rv_text(pattern->parts[1].text.data + 1, pattern->parts[1].text.len - 1);
        mean_name(asking, RV_TERM_PROGRAM_NAME, text);
    } else if (is_anything(pattern)) {
        if (!is_true(asking))
            asking->result->kind = RV_MEANS_NEVER;
    } else {
        unknown(asking, RV_PLACE_INLINE, "of patterns, rules hold \"*/name\" alone");
    }
}

static void mean_file_name(struct asking *asking)
{
    struct rv_text text;

    if (asking->atom->op == RV_LITERAL_EQ)
        text = rv_text(asking->atom->value.text, asking->atom->value.count);
    else if (!is_text(&asking->atom->pattern, &text)) {
        unknown(asking, RV_PLACE_INLINE, "rules hold whole names, not patterns");
        return;
    }
    mean_name(asking, RV_TERM_FILE_NAME, text);
}

/** A text out of a known few: those that the atom takes, as numbers. */
static void mean_kind(struct asking *asking, enum rv_rule_subject subject)
{
    const struct rv_atom *atom = asking->atom;

    for (uint32_t kind = 0; kind < RV_KIND_COUNT_; kind++) {
        struct rv_text name = rv_text_str(rv_program_kind_name((enum rv_program_kind)kind));
        bool takes = atom->op == RV_LITERAL_EQ
                         ? rv_text_eq(name, rv_text(atom->value.text, atom->value.count))
                         : rv_pattern_takes(&atom->pattern, name);

        if (takes)
            add_number(asking, is_true(asking), subject, kind);
    }
    if (asking->result->affirmed_count + asking->result->negated_count == 0)
        impossible(asking);
}

/** "unix" and "other" are what is none of the others. */
static void mean_choice(struct asking *asking, enum rv_rule_subject subject,
                        const char *const names[3], const uint64_t numbers[2])
{
    const struct rv_atom *atom = asking->atom;
    struct rv_text text = { 0 };

    if (atom->op == RV_LITERAL_EQ)
        text = rv_text(atom->value.text, atom->value.count);
    else if (!is_text(&atom->pattern, &text)) {
        unknown(asking, RV_PLACE_INLINE, "rules hold single values, not patterns");
        return;
    }
    if (rv_text_is(text, names[0]) || rv_text_is(text, names[1])) {
        add_number(asking, is_true(asking), subject, numbers[rv_text_is(text, names[1])]);
    } else if (rv_text_is(text, names[2])) {
        add_number(asking, !is_true(asking), subject, numbers[0]);
        add_number(asking, !is_true(asking), subject, numbers[1]);
    } else {
        impossible(asking);
    }
}

/* ---- Addresses ---- */

static const uint64_t ip_families[] = { AF_INET, AF_INET6 };

/** A range that holds IPv4-mapped addresses, which rules take as IPv4. */
static bool holds_mapped(const struct rv_ip *ip)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    uint8_t whole = ip->bits / 8;

    if (!ip->v6)
        return false;
    if (ip->bits >= 96)
        return memcmp(ip->bytes, mapped, sizeof(mapped)) == 0;
    return memcmp(ip->bytes, mapped, whole) == 0 &&
           (ip->bits % 8 == 0 ||
            ((ip->bytes[whole] ^ mapped[whole]) & (0xff00 >> ip->bits % 8)) == 0);
}

/** "10.0.0.0/8", kept in the meaning. */
static bool address_text(const struct rv_ip *ip, struct rv_meaning *result, struct rv_text *ret)
{
    size_t slot = result->address_count;
    struct rv_ip network = *ip;
    char text[INET6_ADDRSTRLEN];

    for (unsigned bit = ip->bits; bit < (ip->v6 ? 128U : 32U); bit++)
        network.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    if (slot == RV_COUNT(result->addresses) ||
        !inet_ntop(ip->v6 ? AF_INET6 : AF_INET, network.bytes, text, sizeof(text)))
        return false;
    (void)snprintf(result->addresses[slot], sizeof(result->addresses[slot]), "%s/%u", text,
                   ip->bits);
    result->address_count++;
    *ret = rv_text_str(result->addresses[slot]);
    return true;
}

static void add_families(struct asking *asking, bool affirmed)
{
    for (size_t i = 0; i < RV_COUNT(ip_families); i++)
        add_number(asking, affirmed, RV_TERM_FAMILY, ip_families[i]);
}

/** The address is in one of `ranges`; without an address (unix) that is an error. */
static void mean_ranges(struct asking *asking, const struct rv_ip *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rv_text text;

        if (holds_mapped(&ranges[i]) || !address_text(&ranges[i], asking->result, &text)) {
            unknown(asking, RV_PLACE_INLINE, "the range holds IPv4 addresses written as IPv6");
            return;
        }
        add_text(asking, RV_TERM_ADDRESS, text);
    }
    if (count == 0)
        impossible(asking);
    if (asking->mode == RV_LITERAL_FALSE)
        add_families(asking, true);
}

static void mean_ip(struct asking *asking)
{
    static const struct rv_ip loopback[] = { { .bytes = { 127 }, .bits = 8 },
                                             { .bytes = { [15] = 1 }, .bits = 128, .v6 = true } };
    static const struct rv_ip multicast[] = { { .bytes = { 224 }, .bits = 4 },
                                              { .bytes = { 0xff }, .bits = 8, .v6 = true } };
    const struct rv_atom *atom = asking->atom;
    const struct rv_ip *ip = atom->value.kind == RV_VALUE_IP ? atom->value.ip : NULL;
    bool six = atom->op == RV_LITERAL_IPV6, single;

    if (asking->mode == RV_LITERAL_NOT_FALSE) {
        unknown(asking, RV_PLACE_INLINE, "it turns on an address that may be absent");
        return;
    }
    switch (atom->op) {
    case RV_LITERAL_HAS:
        add_families(asking, is_true(asking));
        break;
    case RV_LITERAL_IN_RANGE:
        mean_ranges(asking, ip, 1);
        break;
    case RV_LITERAL_LOOPBACK:
        mean_ranges(asking, loopback, 2);
        break;
    case RV_LITERAL_MULTICAST:
        mean_ranges(asking, multicast, 2);
        break;
    case RV_LITERAL_IPV4:
    case RV_LITERAL_IPV6:
        if (asking->mode == RV_LITERAL_NOT_TRUE)
            add_number(asking, false, RV_TERM_FAMILY, ip_families[six]);
        else
            add_number(asking, true, RV_TERM_FAMILY, ip_families[six == is_true(asking)]);
        break;
    default: /* equality: a range is never a single address */
        single = ip && ip->bits == (ip->v6 ? 128 : 32);
        mean_ranges(asking, ip, single);
        break;
    }
}

/* ---- Entities ---- */

static void mean_workload(struct asking *asking, struct rv_text name)
{
    const struct rv_rules_options *options = asking->options;
    uint64_t ids[RV_RULES_CGROUPS_MAX];
    size_t count =
        options->cgroups ? options->cgroups(options->context, name, ids, RV_COUNT(ids)) : 0;

    asking->result->waits = count == 0;
    for (size_t i = 0; i < count; i++)
        add_number(asking, is_true(asking), RV_TERM_WORKLOAD, ids[i]);
    if (count == 0)
        impossible(asking);
}

static void mean_principal(struct asking *asking, const struct rv_uid *uid)
{
    uint32_t id;

    if (rv_text_is(uid->type, "Program")) {
        mean_path(asking, RV_TERM_LINEAGE, uid->id);
    } else if (rv_text_is(uid->type, "ProgramKind")) {
        add_number(asking, is_true(asking), RV_TERM_LINEAGE_KIND, rv_host_kind(uid->id));
    } else if (rv_text_is(uid->type, "Workload")) {
        mean_workload(asking, uid->id);
    } else if (rv_text_is(uid->type, "User")) {
        if (asking->question->verb->actions == RV_DO_SETUID)
            unknown(asking, RV_PLACE_AFTER, "what the process is afterwards is not known before");
        else if (rv_host_user(uid->id, &id))
            add_number(asking, is_true(asking), RV_TERM_UID, id);
        else
            impossible(asking);
    } else {
        unknown(asking, RV_PLACE_INLINE, "rules do not name single processes");
    }
}

/** `Endpoint::"10.0.0.5:443"`, `"[::1]:443"`. */
static void mean_endpoint(struct asking *asking, struct rv_text id)
{
    const char *colon = id.len ? memrchr(id.data, ':', id.len) : NULL;
    size_t len = colon ? (size_t)(colon - id.data) : 0;
    bool bracketed = len > 2 && id.data[0] == '[' && id.data[len - 1] == ']';
    struct rv_text host = bracketed ? rv_text(id.data + 1, len - 2) : rv_text(id.data, len);
    uint32_t port;
    struct rv_ip ip;

    if (!is_true(asking) || !colon || rv_ip_parse(host, &ip) < 0 || ip.v6 != bracketed ||
        ip.bits != (ip.v6 ? 128 : 32) ||
        !rv_host_user(rv_text(colon + 1, id.len - len - 1), &port) || port > UINT16_MAX) {
        unknown(asking, RV_PLACE_INLINE, "rules take an endpoint apart: write address and port");
        return;
    }
    mean_ranges(asking, &ip, 1);
    add_number(asking, true, RV_TERM_PORT, port);
}

static void mean_resource(struct asking *asking, const struct rv_uid *uid)
{
    const struct rv_host_verb *verb = asking->question->verb;
    bool user = rv_text_is(uid->id, "user");

    if (verb->actions == RV_DO_MOUNT) {
        unknown(asking, RV_PLACE_AFTER, "rules do not tell where something is mounted");
    } else if (rv_text_is(uid->type, "File") || rv_text_is(uid->type, "Program")) {
        mean_path(asking, RV_TERM_FILE, uid->id);
    } else if (rv_text_is(uid->type, "Directory")) {
        mean_path(asking, RV_TERM_FOLDER, uid->id);
    } else if (rv_text_is(uid->type, "ProgramKind") && rv_streq(verb->resource, "Program")) {
        add_number(asking, is_true(asking), RV_TERM_FILE_KIND, rv_host_kind(uid->id));
    } else if (rv_text_is(uid->type, "Endpoint")) {
        mean_endpoint(asking, uid->id);
    } else if (verb->actions == RV_DO_USERNS && user) {
        asking->result->user_namespace = is_true(asking);
        if (!is_true(asking))
            unknown(asking, RV_PLACE_AFTER, "of namespaces, only a user's can be refused");
    } else if (verb->actions == RV_DO_USERNS && !is_true(asking)) {
        return; /* nothing but that one is asked about */
    } else {
        unknown(asking, RV_PLACE_AFTER, "rules do not tell which one");
    }
}

static void mean_fact(struct asking *asking, const struct rv_host_fact *fact)
{
    static const char *const families[] = { "inet", "inet6", "unix" };
    static const char *const protocols[] = { "tcp", "udp", "other" };
    static const uint64_t protocol_numbers[] = { IPPROTO_TCP, IPPROTO_UDP };
    const struct rv_atom *atom = asking->atom;

    if (!fact->subject) {
        unknown(asking, (enum rv_place)fact->place, fact->why);
        return;
    }
    switch (fact->subject) {
    case RV_TERM_PROGRAM:
        mean_program(asking);
        break;
    case RV_TERM_FILE_NAME:
        mean_file_name(asking);
        break;
    case RV_TERM_KIND:
    case RV_TERM_FILE_KIND:
        mean_kind(asking, fact->subject);
        break;
    case RV_TERM_FAMILY:
        mean_choice(asking, RV_TERM_FAMILY, families, ip_families);
        break;
    case RV_TERM_PROTOCOL:
        mean_choice(asking, RV_TERM_PROTOCOL, protocols, protocol_numbers);
        break;
    case RV_TERM_ADDRESS:
        mean_ip(asking);
        break;
    case RV_TERM_FLAG:
        add_number(asking, is_true(asking) == (atom->op == RV_LITERAL_HOLDS || atom->value.truth),
                   RV_TERM_FLAG, fact->flag);
        break;
    default:
        mean_number(asking, fact);
        break;
    }
}

/** The worst place of the facts that an expression looks at. */
static enum rv_place place_of(const struct rv_host_question *question, const struct rv_expr *expr,
                              unsigned *budget)
{
    enum rv_place place = RV_PLACE_INLINE;
    const struct rv_host_fact *fact = NULL;
    struct rv_atom atom = { 0 };

    if (*budget == 0)
        return RV_PLACE_AFTER;
    (*budget)--;
    if ((expr->kind == RV_EXPR_GET_ATTR || expr->kind == RV_EXPR_HAS_ATTR) &&
        expr->children[0]->kind == RV_EXPR_VAR) {
        atom = (struct rv_atom){ .var = expr->children[0]->var, .depth = 1 };
        atom.path[0] = expr->name;
        fact = rv_host_fact(question, &atom);
    }
    if (fact && !fact->subject && fact->place == RV_PLACE_AFTER)
        return RV_PLACE_AFTER;
    for (uint32_t i = 0; place != RV_PLACE_AFTER && i < expr->child_count; i++)
        place = place_of(question, expr->children[i], budget);
    return place;
}

void rv_host_meaning(const struct rv_host_question *question,
                     const struct rv_rules_options *options, const struct rv_atom *atom,
                     enum rv_literal_mode mode, struct rv_meaning *ret_meaning)
{
    struct asking asking = { question, options, atom, mode, ret_meaning };
    unsigned budget = 10000;

    *ret_meaning = (struct rv_meaning){ .kind = RV_MEANS_TERMS, .risk_max = 1000 };
    if (atom->op == RV_LITERAL_OPAQUE)
        unknown(&asking, place_of(question, atom->expr, &budget), atom->why);
    else if (atom->depth > 0)
        mean_fact(&asking, rv_host_fact(question, atom));
    else if (atom->var == RV_VAR_PRINCIPAL)
        mean_principal(&asking, atom->value.uid);
    else
        mean_resource(&asking, atom->value.uid);
}
