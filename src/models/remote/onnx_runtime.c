/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ONNX Runtime's C API, without its header: a table of functions whose order never changes (its
 * promise to callers of older versions). Only the ones used here are named, by their place.
 */
#include "models/onnx_runtime.h"

#include <dlfcn.h>
#include <stdio.h>

#define API_VERSION   1 /* the first: everything used here was there */
#define OUTPUTS_MAX   8
#define ELEMENT_FLOAT 1

enum place {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION_FROM_ARRAY = 8,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    SET_INTRA_OP_NUM_THREADS = 24,
    SET_INTER_OP_NUM_THREADS = 25,
    SESSION_GET_OUTPUT_COUNT = 31,
    SESSION_GET_INPUT_NAME = 36,
    SESSION_GET_OUTPUT_NAME = 37,
    CREATE_TENSOR_WITH_DATA = 49,
    IS_TENSOR = 50,
    GET_TENSOR_MUTABLE_DATA = 51,
    GET_TENSOR_ELEMENT_TYPE = 60,
    GET_TENSOR_SHAPE_ELEMENT_COUNT = 64,
    GET_TENSOR_TYPE_AND_SHAPE = 65,
    CREATE_CPU_MEMORY_INFO = 69,
    ALLOCATOR_FREE = 76,
    GET_ALLOCATOR = 78,
    RELEASE_ENV = 92,
    RELEASE_STATUS = 93,
    RELEASE_MEMORY_INFO = 94,
    RELEASE_SESSION = 95,
    RELEASE_VALUE = 96,
    RELEASE_SHAPE = 99,
    RELEASE_SESSION_OPTIONS = 100,
};

struct api_base {
    const void *const *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
};

struct rv_onnx_session {
    const void *const *api;
    const char *version;
    void *env, *options, *session, *memory_info, *allocator; /* the allocator is not ours to free */
    char *input, *outputs[OUTPUTS_MAX];
    size_t output_count;
};

/* The function at a place, as a type of the caller's choice. */
#define CALL(session_, place_, type_) ((type_)(uintptr_t)(session_)->api[place_])

static int say(struct rv_onnx_error *reterr, int code, const char *message)
{
    (void)snprintf(reterr->message, sizeof(reterr->message), "%s", message);
    return code;
}

/* Turn a status into our kind of result. */
static int settle(struct rv_onnx_session *session, void *status, struct rv_onnx_error *reterr)
{
    if (!status)
        return 0;
    (void)say(reterr, 0, CALL(session, GET_ERROR_MESSAGE, const char *(*)(const void *))(status));
    CALL(session, RELEASE_STATUS, void (*)(void *))(status);
    return -EINVAL;
}

/* ---- Opening ---- */

static int load(struct rv_onnx_session *session, const char *path, struct rv_onnx_error *reterr)
{
    const struct api_base *(*get_base)(void);
    const struct api_base *base;
    void *library, *symbol;

    if (!path)
        path = getenv("REEVE_ONNXRUNTIME");
    library = dlopen(path ? path : "libonnxruntime.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library && !path)
        library = dlopen("libonnxruntime.so", RTLD_NOW | RTLD_LOCAL);
    symbol = library ? dlsym(library, "OrtGetApiBase") : NULL;
    if (!symbol)
        return say(reterr, -EOPNOTSUPP,
                   "ONNX Runtime is not installed; name its library in REEVE_ONNXRUNTIME");
    memcpy(&get_base, &symbol, sizeof(get_base));
    base = get_base();
    session->api = base ? base->get_api(API_VERSION) : NULL;
    if (!session->api)
        return say(reterr, -EOPNOTSUPP, "this ONNX Runtime has no usable interface");
    session->version = base->get_version();
    return 0; /* the library stays: its threads do not survive being unloaded */
}

static int make_session(struct rv_onnx_session *s, struct rv_span model,
                        struct rv_onnx_error *reterr)
{
    int r = settle(
        s, CALL(s, CREATE_ENV, void *(*)(int, const char *, void **))(3, "reeve", &s->env), reterr);

    if (r == 0)
        r = settle(s, CALL(s, CREATE_SESSION_OPTIONS, void *(*)(void **))(&s->options), reterr);
    if (r == 0)
        r = settle(s, CALL(s, SET_INTRA_OP_NUM_THREADS, void *(*)(void *, int))(s->options, 1),
                   reterr);
    if (r == 0)
        r = settle(s, CALL(s, SET_INTER_OP_NUM_THREADS, void *(*)(void *, int))(s->options, 1),
                   reterr);
    if (r == 0)
        r = settle(s,
                   CALL(s, CREATE_SESSION_FROM_ARRAY,
                        void *(*)(const void *, const void *, size_t, const void *, void **))(
                       s->env, model.data, model.len, s->options, &s->session),
                   reterr);
    if (r == 0)
        r = settle(
            s, CALL(s, CREATE_CPU_MEMORY_INFO, void *(*)(int, int, void **))(0, 0, &s->memory_info),
            reterr);
    if (r == 0)
        r = settle(s, CALL(s, GET_ALLOCATOR, void *(*)(void **))(&s->allocator), reterr);
    return r;
}

typedef void *name_fn(const void *session, size_t index, void *allocator, char **ret_name);

static int read_names(struct rv_onnx_session *s, struct rv_onnx_error *reterr)
{
    size_t count = 0;
    int r = settle(
        s, CALL(s, SESSION_GET_INPUT_NAME, name_fn *)(s->session, 0, s->allocator, &s->input),
        reterr);

    if (r == 0)
        r = settle(s,
                   CALL(s, SESSION_GET_OUTPUT_COUNT, void *(*)(const void *, size_t *))(s->session,
                                                                                        &count),
                   reterr);
    while (r == 0 && s->output_count < count && s->output_count < OUTPUTS_MAX) {
        r = settle(s,
                   CALL(s, SESSION_GET_OUTPUT_NAME, name_fn *)(
                       s->session, s->output_count, s->allocator, &s->outputs[s->output_count]),
                   reterr);
        s->output_count += r == 0;
    }
    return r;
}

int rv_onnx_open(const char *library, struct rv_span model, struct rv_onnx_session **ret_session,
                 struct rv_onnx_error *reterr)
{
    RV_AUTO(rv_onnx_free) struct rv_onnx_session *session = calloc(1, sizeof(*session));
    int r;

    if (!session)
        return say(reterr, -ENOMEM, "out of memory");
    r = load(session, library, reterr);
    if (r == 0)
        r = make_session(session, model, reterr);
    if (r == 0)
        r = read_names(session, reterr);
    if (r < 0)
        return r;
    *ret_session = RV_TAKE(session);
    return 0;
}

static void release(struct rv_onnx_session *session, enum place place, void *object)
{
    if (object)
        CALL(session, place, void (*)(void *))(object);
}

static void release_name(struct rv_onnx_session *session, char *name)
{
    if (name)
        (void)CALL(session, ALLOCATOR_FREE, void *(*)(void *, void *))(session->allocator, name);
}

void rv_onnx_free(struct rv_onnx_session **session)
{
    struct rv_onnx_session *s = *session;

    if (!s)
        return;
    release_name(s, s->input);
    for (size_t i = 0; i < s->output_count; i++)
        release_name(s, s->outputs[i]);
    release(s, RELEASE_MEMORY_INFO, s->memory_info);
    release(s, RELEASE_SESSION, s->session);
    release(s, RELEASE_SESSION_OPTIONS, s->options);
    release(s, RELEASE_ENV, s->env);
    free(s);
    *session = NULL;
}

const char *rv_onnx_version(const struct rv_onnx_session *session)
{
    return session->version;
}

/* ---- Running ---- */

/* @return 0 with the data of a float tensor; -ENOENT for an output that is none; -EINVAL. */
static int tensor_of(struct rv_onnx_session *s, void *value, const float **ret_data,
                     size_t *ret_count, struct rv_onnx_error *reterr)
{
    void *shape = NULL, *data = NULL;
    int type = 0, is_tensor = 0;
    int r =
        settle(s, CALL(s, IS_TENSOR, void *(*)(const void *, int *))(value, &is_tensor), reterr);

    if (r < 0 || !is_tensor)
        return r < 0 ? r : -ENOENT;
    r = settle(s,
               CALL(s, GET_TENSOR_TYPE_AND_SHAPE, void *(*)(const void *, void **))(value, &shape),
               reterr);
    if (r == 0)
        r = settle(s,
                   CALL(s, GET_TENSOR_ELEMENT_TYPE, void *(*)(const void *, int *))(shape, &type),
                   reterr);
    if (r == 0)
        r = settle(s,
                   CALL(s, GET_TENSOR_SHAPE_ELEMENT_COUNT,
                        void *(*)(const void *, size_t *))(shape, ret_count),
                   reterr);
    release(s, RELEASE_SHAPE, shape);
    if (r == 0 && type != ELEMENT_FLOAT)
        return -ENOENT;
    if (r == 0)
        r = settle(s, CALL(s, GET_TENSOR_MUTABLE_DATA, void *(*)(void *, void **))(value, &data),
                   reterr);
    *ret_data = data;
    return r;
}

static int take_scores(struct rv_onnx_session *session, void *const *values, size_t count,
                       float *ret_scores, struct rv_onnx_error *reterr)
{
    for (size_t i = 0; i < session->output_count; i++) {
        const float *data = NULL;
        size_t elements = 0, columns;
        int r = tensor_of(session, values[i], &data, &elements, reterr);

        if (r == -ENOENT)
            continue;
        if (r < 0)
            return r;
        if (elements == 0 || elements % count != 0)
            return say(reterr, -EINVAL, "the output's shape does not match the rows");
        columns = elements / count;
        for (size_t row = 0; row < count; row++)
            ret_scores[row] = data[row * columns + columns - 1];
        return 0;
    }
    return say(reterr, -EINVAL, "the model has no output of floats");
}

int rv_onnx_run(struct rv_onnx_session *session, const float *rows, size_t count, size_t width,
                float *ret_scores, struct rv_onnx_error *reterr)
{
    const int64_t shape[2] = { (int64_t)count, (int64_t)width };
    const char *const inputs[1] = { session->input };
    void *input = NULL, *values[OUTPUTS_MAX] = { NULL };
    int r;

    if (count == 0)
        return 0;
    r = settle(session,
               CALL(session, CREATE_TENSOR_WITH_DATA,
                    void *(*)(const void *, void *, size_t, const int64_t *, size_t, int, void **))(
                   session->memory_info, (void *)(uintptr_t)rows, count * width * sizeof(*rows),
                   shape, 2, ELEMENT_FLOAT, &input),
               reterr);
    if (r == 0)
        r = settle(session,
                   CALL(session, RUN,
                        void *(*)(void *, const void *, const char *const *, const void *const *,
                                  size_t, const char *const *, size_t, void **))(
                       session->session, NULL, inputs, (const void *const *)&input, 1,
                       (const char *const *)session->outputs, session->output_count, values),
                   reterr);
    if (r == 0)
        r = take_scores(session, values, count, ret_scores, reterr);
    for (size_t i = 0; i < session->output_count; i++)
        release(session, RELEASE_VALUE, values[i]);
    release(session, RELEASE_VALUE, input);
    return r;
}
