/* SPDX-License-Identifier: Apache-2.0 */
/* The skeleton of a command line: what is left when names, numbers and texts are masked. */
#include "models/text.h"

#include <ctype.h>

static size_t quoted(struct rv_span rest)
{
    for (size_t i = 1; i < rest.len; i++) {
        if (rest.data[i] == rest.data[0])
            return i + 1;
    }
    return 0;
}

static bool in_path(uint8_t c)
{
    return isalnum(c) || c == '/' || c == '.' || c == '_' || c == '-' || c == '~' || c == '*' ||
           c == '?';
}

static size_t word(struct rv_span rest, bool *ret_path, bool *ret_number)
{
    size_t len = 0, hex = 0;

    *ret_path = false;
    for (; len < rest.len && in_path(rest.data[len]); len++) {
        *ret_path |= rest.data[len] == '/';
        hex += isxdigit(rest.data[len]) || rest.data[len] == '.';
    }
    *ret_number = len > 0 && hex == len && isdigit(rest.data[0]);
    return len;
}

void rv_text_skeleton(struct rv_buf *into, struct rv_span line)
{
    while (line.len > 0) {
        uint8_t c = line.data[0];
        bool path = false, number = false;
        size_t len = c == '"' || c == '\'' ? quoted(line) : 0;

        if (len > 0) {
            rv_buf_add_char(into, 'Q');
        } else if ((len = word(line, &path, &number)) > 0) {
            if (path)
                rv_buf_add_char(into, 'P');
            else if (number)
                rv_buf_add_char(into, 'N');
            else
                rv_buf_add(into, line.data, len);
        } else {
            len = 1;
            rv_buf_add_char(into, (char)c);
        }
        line.data += len;
        line.len -= len;
    }
}
