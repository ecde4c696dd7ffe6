/* SPDX-License-Identifier: Apache-2.0 */
/* reeve model card: what the model is for, what it promises, how well it does. */
#include "package.h"

#include "base/fd.h"
#include "base/options.h"
#include "command.h"
#include "models/card.h"

#include <fcntl.h>

int cmd_model_card(int argc, char **argv)
{
    bool json = false, help = false;
    const char *html = NULL;
    const struct rv_option options[] = {
        { RV_OPTION_FLAG, 0, "json", NULL, "print CycloneDX 1.6: model card and bill of materials",
          &json, 0, 0 },
        { RV_OPTION_STRING, 0, "html", "FILE", "write a page with pictures instead", &html, 0, 0 },
        { RV_OPTION_FLAG, 'h', "help", NULL, "print this help", &help, 0, 0 },
        { RV_OPTION_END, 0, NULL, NULL, NULL, NULL, 0, 0 },
    };
    RV_AUTO(rv_package_free) struct rv_package *package = NULL;
    RV_AUTO(rv_buf_done) struct rv_buf buf = { 0 };
    int operands = 0, r;

    if (rv_options_parse(options, RV_OPTIONS_ANYWHERE, argc, argv, &operands) < 0)
        return RV_EXIT_ERROR;
    if (help || operands != 1) {
        fprintf(help ? stdout : stderr, "usage: reeve model card MODEL [--json | --html FILE]\n");
        rv_options_help(options, help ? stdout : stderr);
        return help ? RV_EXIT_YES : RV_EXIT_ERROR;
    }
    package = model_open_package(argv[1]);
    if (!package)
        return RV_EXIT_ERROR;
    r = html   ? rv_card_html(package, &buf)
        : json ? rv_card_cyclonedx(package, &buf)
               : rv_card_text(package, &buf);
    if (r < 0) {
        fprintf(stderr, "reeve: %s: its manifest lacks a name or a kind\n", argv[1]);
        return RV_EXIT_ERROR;
    }
    if (html) {
        r = rv_write_file_atomic(AT_FDCWD, html, buf.data, buf.len, 0644);
        if (r < 0)
            fprintf(stderr, "reeve: cannot write %s: %s\n", html, strerror(-r));
        return r < 0 ? RV_EXIT_ERROR : RV_EXIT_YES;
    }
    fputs(buf.data, stdout);
    return RV_EXIT_YES;
}
