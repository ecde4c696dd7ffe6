/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/self.h"

#define WRITING                                                                                    \
    (RV_DO_WRITE | RV_DO_CREATE | RV_DO_RENAME | RV_DO_UNLINK | RV_DO_LINK | RV_DO_SETATTR |       \
     RV_DO_TRUNCATE | RV_DO_MOUNT)

/** Who is no administrator; each is a rule of its own. The last is anybody: seen, not refused. */
enum stranger { WITHOUT_LOGIN, FROM_A_SERVER, NOT_ROOT, ANYBODY, STRANGERS_ };

static bool add_number(struct rv_rule *rule, enum rv_rule_subject subject, uint64_t number,
                       bool negated)
{
    if (rule->term_count == RV_RULE_TERMS_MAX)
        return false;
    rule->terms[rule->term_count++] =
        (struct rv_rule_term){ .subject = (uint8_t)subject, .negated = negated, .number = number };
    return true;
}

static bool add_paths(struct rv_rule *rule, enum rv_rule_subject subject, const char *const *paths,
                      size_t count, bool negated)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(paths[i]);

        if (len >= RV_RULE_TEXT_MAX || !add_number(rule, subject, 0, negated))
            return false;
        memcpy(rule->terms[rule->term_count - 1].text, paths[i], len + 1);
    }
    return true;
}

static bool add_stranger(struct rv_rule *rule, const struct rv_self *self, enum stranger stranger)
{
    switch (stranger) {
    case WITHOUT_LOGIN:
        return add_number(rule, RV_TERM_LINEAGE_KIND, self->login_kind, true);
    case FROM_A_SERVER:
        return add_number(rule, RV_TERM_LINEAGE_KIND, self->server_kind, false);
    case NOT_ROOT:
        return add_number(rule, RV_TERM_EUID, 0, true);
    case ANYBODY:
        rule->mode = RV_RULE_SHADOW;
        return true;
    case STRANGERS_:
        break;
    }
    return false;
}

size_t rv_self_rules(const struct rv_self *self, struct rv_rule ret_rules[RV_SELF_RULES])
{
    size_t count = 0;

    for (unsigned stranger = 0; stranger < STRANGERS_; stranger++)
        for (unsigned files = 0; files < 2; files++) {
            struct rv_rule *rule = &ret_rules[count++];
            bool fits;

            memset(rule, 0, sizeof(*rule));
            rule->policy = RV_POLICY_SELF;
            rule->actions = files ? WRITING : RV_DO_SIGNAL | RV_DO_PTRACE;
            rule->risk_max = 1000;
            rule->mode = RV_RULE_ENFORCE;
            rule->lapse = RV_LAPSE_CLOSED;
            fits =
                files ? add_paths(rule, RV_TERM_FOLDER, self->folders, self->folder_count, false) &&
                            add_paths(rule, RV_TERM_FILE, self->files, self->file_count, false)
                      : add_number(rule, RV_TERM_FLAG, RV_FLAG_GUARDED_TARGET, false);
            if (!fits || !add_stranger(rule, self, (enum stranger)stranger) ||
                !add_paths(rule, RV_TERM_PROGRAM, self->programs, self->program_count, true))
                return 0;
        }
    return count;
}
