/* SPDX-License-Identifier: Apache-2.0 */
#include "roots.h"

#include "base/fd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *rv_root_path(const struct rv_root *root, char path[RV_ROOT_PATH_MAX])
{
    (void)snprintf(path, RV_ROOT_PATH_MAX, "/proc/%" PRIu32 "/root", root->process.tgid);
    return path;
}

const struct rv_root *rv_roots_meet(struct rv_roots *roots, pid_t pid)
{
    struct rv_root root = { 0 }, *place;
    struct stat here, there;
    char path[RV_ROOT_PATH_MAX];

    if (rv_process_key_of(pid, &root.process) < 0 || stat("/", &here) < 0 ||
        stat(rv_root_path(&root, path), &there) < 0 ||
        (here.st_dev == there.st_dev && here.st_ino == there.st_ino))
        return NULL;
    rv_roots_forget_dead(roots);
    root.dev = there.st_dev;
    root.inode = there.st_ino;
    for (size_t i = 0; i < RV_COUNT(roots->items); i++) {
        const struct rv_root *known = &roots->items[i];

        if (rv_root_is_known(known) && known->dev == root.dev && known->inode == root.inode)
            return NULL;
    }
    place = &roots->items[roots->met++ % RV_COUNT(roots->items)];
    *place = root;
    return place;
}

void rv_roots_forget_dead(struct rv_roots *roots)
{
    for (size_t i = 0; i < RV_COUNT(roots->items); i++) {
        RV_AUTO(rv_closep) int pidfd = -1;

        if (!rv_root_is_known(&roots->items[i]))
            continue;
        pidfd = rv_process_open(roots->items[i].process);
        if (pidfd < 0)
            roots->items[i] = (struct rv_root){ 0 };
    }
}

/**
 * Where a path leads under another root, as long as its process lives.
 * @return false: it is too long, or there is no folder there that could hold it.
 */
static bool path_under(const struct rv_root *root, const char *path, char to[RV_RULE_TEXT_MAX])
{
    int len = snprintf(to, RV_RULE_TEXT_MAX, "/proc/%" PRIu32 "/root%s", root->process.tgid, path);
    char *slash;
    bool there;

    if (len <= 0 || len >= (int)RV_RULE_TEXT_MAX)
        return false;
    slash = strrchr(to, '/');
    *slash = '\0';
    there = access(to, F_OK) == 0;
    *slash = '/';
    return there;
}

static bool is_path(const struct rv_rule_term *term)
{
    return term->subject == RV_TERM_PROGRAM || term->subject == RV_TERM_LINEAGE ||
           term->subject == RV_TERM_FILE || term->subject == RV_TERM_FOLDER;
}

void rv_roots_extend(const struct rv_roots *roots, struct rv_rule *rule)
{
    uint32_t own = rule->term_count;

    for (uint32_t i = 0; i < RV_COUNT(roots->items); i++) {
        if (!rv_root_is_known(&roots->items[i]))
            continue;
        for (uint32_t k = 0; k < own && rule->term_count < RV_RULE_TERMS_MAX; k++) {
            struct rv_rule_term *copy = &rule->terms[rule->term_count];

            if (!is_path(&rule->terms[k]))
                continue;
            *copy = rule->terms[k];
            rule->term_count += path_under(&roots->items[i], rule->terms[k].text, copy->text);
        }
    }
}
