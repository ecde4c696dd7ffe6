/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/log.h  One line a failure, at the edge: what, on which object, why, what happens next.
 * Rooms return codes and log nothing above debug; only programs call the other levels. Lines go to
 * standard error, with journald priority prefixes when standard error is not a terminal.
 * Thread-safe: a line is one write(2).
 */
#pragma once

#include "base/base.h"

enum rv_log_level { RV_LOG_ERROR, RV_LOG_WARNING, RV_LOG_NOTICE, RV_LOG_INFO, RV_LOG_DEBUG };

/** Lines above `level` are dropped. Set once by main(). Default: RV_LOG_NOTICE. */
void rv_log_set_level(enum rv_log_level level);

/** A short name before each line, such as "guard". Set once by main(); borrowed. */
void rv_log_set_name(const char *name);

void rv_log(enum rv_log_level level, const char *format, ...) RV_PRINTF(2, 3);

#define rv_error(...)   rv_log(RV_LOG_ERROR, __VA_ARGS__)
#define rv_warning(...) rv_log(RV_LOG_WARNING, __VA_ARGS__)
#define rv_notice(...)  rv_log(RV_LOG_NOTICE, __VA_ARGS__)
#define rv_info(...)    rv_log(RV_LOG_INFO, __VA_ARGS__)
#define rv_debug(...)   rv_log(RV_LOG_DEBUG, __VA_ARGS__)
