/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent asks is what the shipped schema says: types, attributes, context, parents. */
#include "test.h"

#include "agent/folder.h"
#include "events.h"
#include "host.h"

static struct rv_bundle *bundle;
static struct rv_features *features;
static struct rv_host_names *names;

static int open_all(void **state)
{
    RV_AUTO(rv_buf_done) struct rv_buf why = { 0 };
    struct rv_features_options options = { 0 };

    if (rv_bundle_open_folder(&bundle, SOURCE_ROOT "/policies/baseline", &why) < 0) {
        print_error("%s\n", why.data);
        return -1;
    }
    return rv_features_new(&features, &options) || rv_host_names_new(&names);
}

static int close_all(void **state)
{
    rv_host_names_free(&names);
    rv_features_free(&features);
    rv_bundle_free(&bundle);
    return 0;
}

static void show(const struct rv_diags *diags, const char *what)
{
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };

    for (size_t i = 0; i < diags->count; i++)
        rv_diag_render(&text, &diags->items[i]);
    fail_msg("%s: %s", what, text.data ? text.data : "refused without a word");
}

static void check_request(const struct rv_event *event)
{
    static struct rv_host_request host;
    RV_AUTO(rv_diags_done) struct rv_diags diags = { 0 };
    enum rv_validity validity = RV_INVALID;
    struct rv_features_change change;
    struct rv_host_context known = {
        .names = names,
        .features = features,
        .risk = 100,
        .mode = "observe",
        .model = rv_text_str("00"),
    };

    rv_features_update(features, event, &change);
    rv_host_principal(&host, names, change.process, event);
    rv_host_build(&host, event, &known);
    rv_assert_ok(rv_validate_request(bundle->schema, &host.request, &diags, &validity));
    if (validity != RV_VALID)
        show(&diags, rv_event_info(event->type)->name);
    for (uint32_t i = 0; i < host.request.overlay_count; i++) {
        validity = RV_INVALID;
        rv_assert_ok(
            rv_validate_entity(bundle->schema, host.request.overlay[i], &diags, &validity));
        if (validity != RV_VALID)
            show(&diags, rv_event_info(event->type)->name);
    }
}

static void every_request_fits_the_shipped_schema(void **state)
{
    unsigned count = 0;

    for (uint16_t type = 1; type < RV_EVENT_TYPE_END_; type++) {
        struct rv_event_builder builder;
        const struct rv_event *event;

        if (!rv_event_info(type))
            continue;
        event = make_event(&builder, (enum rv_event_type)type, 10000 + type);
        if (type >= RV_EVENT_NET_CONNECT && type <= RV_EVENT_NET_LISTEN)
            ((struct rv_event_net_socket *)(void *)&builder)->family = 2;
        if (rv_host_action(event)) {
            check_request(event);
            count++;
        }
    }
    assert_int_equal(count, 22);
}

static void open_is_four_actions(void **state)
{
    static const struct {
        uint32_t access;
        const char *action;
    } cases[] = {
        { RV_ACCESS_READ, "file.read" },
        { RV_ACCESS_WRITE, "file.write" },
        { RV_ACCESS_WRITE | RV_ACCESS_APPEND, "file.write" },
        { RV_ACCESS_WRITE | RV_ACCESS_TRUNC, "file.truncate" },
        { RV_ACCESS_WRITE | RV_ACCESS_CREATE | RV_ACCESS_TRUNC, "file.create" },
    };
    struct rv_event_builder builder;
    struct rv_event_file_open *open = (void *)&builder;

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        make_event(&builder, RV_EVENT_FILE_OPEN, 1);
        open->access = cases[i].access;
        assert_string_equal(rv_host_action(&builder.header), cases[i].action);
        check_request(&builder.header);
    }
    builder.header.flags = RV_EVENT_F_SNAPSHOT;
    assert_null(rv_host_action(&builder.header));
}

static void deep_paths_and_cut_arguments_fit(void **state)
{
    static char path[RV_EVENT_PATH_MAX], argv[RV_EVENT_ARGV_MAX];
    struct rv_event_builder builder;
    struct rv_event_process_exec *exec = (void *)rv_event_begin(&builder, RV_EVENT_PROCESS_EXEC);

    memset(path, '/', sizeof(path)); /* more folders than a request holds */
    memset(argv, 0xff, sizeof(argv));
    exec->header.tgid = 7;
    rv_event_put_str(&builder, &exec->path, rv_span(path, sizeof(path)), sizeof(path));
    rv_event_put_str(&builder, &exec->argv, rv_span(argv, sizeof(argv)), 1000);
    check_request(rv_event_end(&builder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_fits_the_shipped_schema),
        cmocka_unit_test(open_is_four_actions),
        cmocka_unit_test(deep_paths_and_cut_arguments_fit),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
