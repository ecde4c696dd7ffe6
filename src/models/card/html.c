/* SPDX-License-Identifier: Apache-2.0 */
/* The card as one HTML file: the text of the card, and pictures. It fetches nothing. */
#include "models/card.h"

#include "figure.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Model card: ";

static const char style[] =
    "</title>\n<style>\n"
    ":root{color-scheme:light dark;--ink:#1c1f26;--paper:#fff;--faint:#d8dce3;--a:#7a8699;"
    "--b:#1f6feb;--c:#d1242f}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e8ec;--paper:#14161b;--faint:#343a46;"
    "--a:#98a3b5;--b:#58a6ff;--c:#ff7b72}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:680px;margin:2em auto;padding:0 1em}\n"
    "pre{font:12px/1.45 ui-monospace,monospace;overflow-x:auto;white-space:pre-wrap}\n"
    "figure{margin:2em 0}figcaption{font-weight:600;margin-bottom:.4em}\n"
    "svg{max-width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:var(--ink)}\n"
    ".grid{stroke:var(--faint)}.whisker{stroke:var(--ink);stroke-width:2}\n"
    ".line{fill:none;stroke-width:2}.v0{stroke:var(--a)}.v1{stroke:var(--b)}.v2{stroke:var(--c)}\n"
    ".dot{stroke:none}.dot.v0{fill:var(--a)}.dot.v1{fill:var(--b)}.dot.v2{fill:var(--c)}\n"
    "</style>\n<h1>";

int rv_card_html(const struct rv_package *package, struct rv_buf *buf)
{
    const json_t *manifest = rv_package_manifest(package);
    const char *name = json_string_value(json_object_get(manifest, "name"));
    RV_AUTO(rv_buf_done) struct rv_buf text = { 0 };
    int r = rv_card_text(package, &text);

    if (r < 0)
        return r;
    rv_buf_add_str(buf, head);
    figure_text(buf, name ? name : "");
    rv_buf_add_str(buf, style);
    figure_text(buf, name ? name : "");
    rv_buf_add_str(buf, "</h1>\n");
    figure_operating(manifest, buf);
    figure_families(manifest, buf);
    figure_scores(package, buf);
    rv_buf_add_str(buf, "<pre>");
    for (char *line = text.data; line && *line;) {
        char *end = strchr(line, '\n');

        if (end)
            *end = '\0';
        figure_text(buf, line);
        rv_buf_add_char(buf, '\n');
        line = end ? end + 1 : NULL;
    }
    rv_buf_add_str(buf, "</pre>\n</html>\n");
    return buf->failed ? -ENOMEM : 0;
}
