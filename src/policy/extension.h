/* SPDX-License-Identifier: Apache-2.0 */
/** @file extension.h  Extension values as text, and what their functions do. */
#pragma once

#include "policy/policy.h"

#define RV_EXTENSION_TEXT_MAX 64

void rv_ip_format(char text[RV_EXTENSION_TEXT_MAX], const struct rv_ip *ip);
void rv_decimal_format(char text[RV_EXTENSION_TEXT_MAX], int64_t units);
void rv_datetime_format(char text[RV_EXTENSION_TEXT_MAX], int64_t unix_ms);
void rv_duration_format(char text[RV_EXTENSION_TEXT_MAX], int64_t ms);

/**
 * Call a function whose arguments are of the right kinds (rv_call_info()).
 * @param ip where an address is made, when one is.
 * @return RV_EVAL_OK with `ret_value`; RV_EVAL_EXTENSION; RV_EVAL_OVERFLOW.
 */
enum rv_eval_code rv_call_apply(enum rv_call call, const struct rv_value args[2], struct rv_ip *ip,
                                struct rv_value *ret_value);
