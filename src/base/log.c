/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    enum rv_log_level level;
    const char *name;
} settings = { .level = RV_LOG_NOTICE, .name = "reeve" };

void rv_log_set_level(enum rv_log_level level)
{
    settings.level = level;
}

void rv_log_set_name(const char *name)
{
    settings.name = name;
}

void rv_log(enum rv_log_level level, const char *format, ...)
{
    static const char *const journal_prefix[] = { "<3>", "<4>", "<5>", "<6>", "<7>" };
    static const char *const words[] = { "error: ", "warning: ", "", "", "debug: " };
    char line[2048];
    int saved = errno, len, more;
    va_list args;

    if (level > settings.level)
        return;
    len = snprintf(line, sizeof(line), "%s%s: %s",
                   isatty(STDERR_FILENO) ? "" : journal_prefix[level], settings.name, words[level]);
    va_start(args, format);
    more = vsnprintf(line + len, sizeof(line) - (size_t)len - 1, format, args);
    va_end(args);
    if (more > 0)
        len += more;
    if ((size_t)len > sizeof(line) - 2)
        len = sizeof(line) - 2;

    /* One line, whatever the arguments held: no forged log lines, no terminal escapes. */
    for (int i = 0; i < len; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    }
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)len) < 0) {
        /* Nowhere left to say it. */
    }
    errno = saved;
}
