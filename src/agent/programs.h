/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file agent/programs.h  Which files of this host are programs of a kind: those that root owns and
 * nobody else can write, in the folders where programs are installed. What is anywhere else is of
 * no kind, whatever it is called, so an impostor gets no exception that is made for a kind.
 */
#pragma once

#include "base/base.h"

#define RV_PROGRAMS_MAX 4096 /* more are of no kind */

/**
 * Look through the folders below a root: "" for our own, or "/proc/PID/root". Each program of a
 * kind is handed over with its number (features/program.h).
 * @param put @return of it: 0, or -errno to stop. @return 0 or that.
 */
RV_MUST_CHECK int rv_programs_scan(const char *root,
                                   int (*put)(void *context, const char *path, uint32_t kind),
                                   void *context);
