/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model list: a folder's history, which model speaks, and what the kernel does then. */
#include "alias.h"
#include "package.h"

#include "base/encode.h"
#include "base/json.h"
#include "base/options.h"
#include "command.h"
#include "enforce/score_package.h"

/** What the kernel's slot does while a model speaks; static. */
static const char *kernel_of(int dir_fd, const struct rv_sha256 *digest)
{
    RV_AUTO(rv_score_package_free) struct rv_score_package *kernel = NULL;
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    char name[RV_ALIAS_PACKAGE_NAME_MAX];
    int r;

    rv_alias_package_name(digest, name);
    if (rv_package_open_file(dir_fd, name, &package, NULL) < 0)
        return "the package cannot be read";
    r = rv_score_package_open(package, &kernel, NULL);
    if (r == -ENOENT)
        return "no model scores: it is for the judge alone";
    if (r < 0)
        return "no model scores: what it has for the kernel is malformed";
    return rv_package_section(package, RV_SCORE_CARRIED).data ? "scores with the one it carries"
                                                              : "scores with it";
}

static bool read_digest(const json_t *line, struct rv_sha256 *ret_digest)
{
    const char *hex = json_string_value(json_object_get(line, "digest"));
    RV_AUTO(rv_buf_done) struct rv_buf bytes = { 0 };

    if (!hex || rv_hex_decode(&bytes, rv_span_str(hex)) < 0 || bytes.len != RV_SHA256_LEN)
        return false;
    memcpy(ret_digest->bytes, bytes.data, RV_SHA256_LEN);
    return true;
}

/** A line of the history, with how its model stands now. */
static json_t *describe(const struct alias_place *place, size_t index)
{
    struct rv_sha256 digest, now = rv_alias_current(place->alias);
    json_t *line = NULL;
    bool quarantined;

    if (rv_json_parse(rv_alias_line(place->alias, index), &line, NULL) < 0 ||
        !read_digest(line, &digest)) {
        json_decref(line);
        return NULL;
    }
    quarantined = rv_alias_is_quarantined(place->alias, &digest);
    (void)json_object_set_new(line, "speaks",
                              json_boolean(memcmp(&digest, &now, sizeof(now)) == 0));
    (void)json_object_set_new(line, "quarantined", json_boolean(quarantined));
    (void)json_object_set_new(line, "kernel", json_string(kernel_of(place->dir_fd, &digest)));
    return line;
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));

    return text ? text : "?";
}

static int run(const char *folder, bool json)
{
    RV_AUTO(alias_close) struct alias_place place = { NULL, -1 };
    size_t count;

    if (alias_open(folder, &place) < 0)
        return RV_EXIT_ERROR;
    count = rv_alias_length(place.alias);
    for (size_t i = 0; i < count; i++) {
        RV_AUTO(rv_json_freep) json_t *line = describe(&place, i);
        bool speaks = json_is_true(json_object_get(line, "speaks"));

        if (json && line)
            model_print_json(RV_TAKE(line));
        else
            printf("%-10s %.12s  %s: %s%s\n", text_of(line, "change"), text_of(line, "digest"),
                   text_of(line, "who"), text_of(line, "why"),
                   speaks                                               ? "  [speaks]"
                   : json_is_true(json_object_get(line, "quarantined")) ? "  [quarantined]"
                                                                        : "");
        if (!json && speaks)
            printf("           the kernel: %s\n", text_of(line, "kernel"));
    }
    if (count == 0 && !json)
        printf("no model was promoted: the built-in one speaks, none scores in the kernel\n");
    return RV_EXIT_YES;
}

int cmd_model_list(int argc, char **argv)
{
    bool json = false, help = false;
    const struct rv_option options[] = {
        { RV_OPTION_FLAG, 0, "json", NULL, "print a JSON object a line", &json, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    int operands = 0;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 1) {
        fprintf(help ? stdout : stderr, "usage: reeve model list FOLDER [--json]\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    return run(argv[1], json);
}
