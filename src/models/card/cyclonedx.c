/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CycloneDX 1.6: the model as a machine-learning-model component with its card, the data sets it
 * was trained on, the parts of the package, and the program that made it. No clock and no random
 * number: the serial number comes from the digest, so the same model has the same document.
 */
#include "models/card.h"

#include <inttypes.h>
#include <stdio.h>

struct document {
    const struct rv_package *package;
    const json_t *manifest;
    char hex[RV_SHA256_HEX_LEN + 1];
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static json_t *share(int64_t ppm)
{
    char text[40];

    (void)snprintf(text, sizeof(text), "%s%" PRId64 ".%06" PRId64, ppm < 0 ? "-" : "",
                   labs(ppm) / 1000000, labs(ppm) % 1000000);
    return json_string(text);
}

/* A version 8 (made by the maker's own rules) UUID out of the digest. */
static json_t *serial_number(const char *hex)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "urn:uuid:%.8s-%.4s-8%.3s-a%.3s-%.12s", hex, hex + 8,
                   hex + 13, hex + 17, hex + 20);
    return json_string(text);
}

static json_t *hashes(const char *hex)
{
    return json_pack("[{s:s, s:s}]", "alg", "SHA-256", "content", hex);
}

static const char *approach_of(const char *kind)
{
    return rv_streq(kind, "forest") ? "supervised" : "unsupervised";
}

static const char *family_of(const char *kind)
{
    static const struct {
        const char *kind, *family;
    } families[] = {
        { "forest", "gradient-boosted decision trees over integers" },
        { "sequence", "n-gram language model" },
        { "series", "residual model" },
        { "text", "n-gram and token model" },
    };

    for (size_t i = 0; i < RV_COUNT(families); i++) {
        if (rv_streq(families[i].kind, kind))
            return families[i].family;
    }
    return kind;
}

static json_t *data_refs(const json_t *manifest)
{
    json_t *refs = json_array();
    size_t count = json_array_size(json_object_get(manifest, "training_data"));

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(refs, json_pack("{s:o}", "ref", json_sprintf("data-%zu", i)));
    return refs;
}

static json_t *performance(const json_t *manifest)
{
    json_t *out = json_array();
    const json_t *metric, *row;
    size_t index;

    json_array_foreach(json_object_get(manifest, "metrics"), index, metric)
    {
        (void)json_array_append_new(
            out, json_pack("{s:s, s:o, s:{s:o, s:o}}", "type", text_of(metric, "name"), "value",
                           share(number_of(metric, "value_ppm")), "confidenceInterval",
                           "lowerBound", share(number_of(metric, "low_ppm")), "upperBound",
                           share(number_of(metric, "high_ppm"))));
    }
    json_array_foreach(json_object_get(manifest, "evasion"), index, row)
    {
        (void)json_array_append_new(out,
                                    json_pack("{s:s, s:o, s:s}", "type", "detection under evasion",
                                              "value", share(number_of(row, "detection_ppm")),
                                              "slice", text_of(row, "attack")));
    }
    return out;
}

static json_t *sentences(const char *sentence)
{
    return *sentence ? json_pack("[s]", sentence) : json_array();
}

static json_t *model_card(const struct document *document)
{
    const json_t *manifest = document->manifest;
    const char *kind = text_of(manifest, "kind");

    return json_pack(
        "{s:{s:{s:s}, s:s, s:s, s:o, s:[{s:o}], s:[{s:s}]}, s:{s:o}, s:{s:o, s:o}}",
        "modelParameters", "approach", "type", approach_of(kind), "task", "anomaly detection",
        "architectureFamily", family_of(kind), "datasets", data_refs(manifest), "inputs", "format",
        json_sprintf("%" PRId64 " signed 32-bit integers", number_of(manifest, "width")), "outputs",
        "format", "score in 1/65536; risk 0..1000, -100 log10 of the conformal p-value",
        "quantitativeAnalysis", "performanceMetrics", performance(manifest), "considerations",
        "useCases", sentences(text_of(manifest, "intended_use")), "technicalLimitations",
        sentences(text_of(manifest, "limits")));
}

static json_t *properties(const struct document *document)
{
    const json_t *promise = json_object_get(document->manifest, "promise");
    json_t *out =
        json_pack("[{s:s, s:s}, {s:s, s:o}]", "name", "reeve:featureTable", "value",
                  text_of(document->manifest, "feature_table"), "name", "reeve:seed", "value",
                  json_sprintf("%" PRId64, number_of(document->manifest, "seed")));

    if (json_is_object(promise))
        (void)json_array_append_new(
            out, json_pack("{s:s, s:o}", "name", "reeve:alarmsPerHostDay", "value",
                           share(number_of(promise, "alarms_per_host_day_ppm"))));
    return out;
}

static json_t *model_component(const struct document *document)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "type", "machine-learning-model",
                     "bom-ref", "model", "name", text_of(document->manifest, "name"), "version",
                     text_of(document->manifest, "version"), "hashes", hashes(document->hex),
                     "modelCard", model_card(document), "properties", properties(document));
}

static json_t *data_component(const json_t *set, size_t index)
{
    return json_pack("{s:s, s:o, s:s, s:o, s:s, s:[{s:s, s:s, s:s}]}", "type", "data", "bom-ref",
                     json_sprintf("data-%zu", index), "name", text_of(set, "name"), "hashes",
                     hashes(text_of(set, "sha256")), "description", text_of(set, "source"), "data",
                     "type", "dataset", "name", text_of(set, "name"), "description",
                     text_of(set, "source"));
}

static json_t *section_component(const struct document *document, size_t index)
{
    const char *name = rv_package_section_name(document->package, index);
    struct rv_sha256 digest = rv_sha256(rv_package_section(document->package, name));
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&digest, hex);
    return json_pack("{s:s, s:o, s:s, s:o}", "type", "file", "bom-ref",
                     json_sprintf("section-%s", name), "name", name, "hashes", hashes(hex));
}

static json_t *components(const struct document *document)
{
    json_t *out = json_array();
    const json_t *set;
    size_t index;

    (void)json_array_append_new(out,
                                json_pack("{s:s, s:s, s:s, s:s, s:[{s:{s:s}}]}", "type",
                                          "application", "bom-ref", "reeve", "name", "reeve",
                                          "version", text_of(document->manifest, "code_version"),
                                          "licenses", "license", "id", "Apache-2.0"));
    json_array_foreach(json_object_get(document->manifest, "training_data"), index, set)(void)
        json_array_append_new(out, data_component(set, index));
    for (size_t i = 0; i < rv_package_section_count(document->package); i++)
        (void)json_array_append_new(out, section_component(document, i));
    return out;
}

static json_t *dependencies(const json_t *all)
{
    json_t *refs = json_array();
    const json_t *component;
    size_t index;

    json_array_foreach(all, index, component)(void)
        json_array_append(refs, json_object_get(component, "bom-ref"));
    return json_pack("[{s:s, s:o}]", "ref", "model", "dependsOn", refs);
}

int rv_card_cyclonedx(const struct rv_package *package, struct rv_buf *buf)
{
    struct document document = { package, rv_package_manifest(package), "" };
    struct rv_sha256 digest = rv_package_digest(package);
    RV_AUTO(rv_json_freep) json_t *root = NULL;
    RV_AUTO(rv_freep) char *text = NULL;
    json_t *all;

    if (*text_of(document.manifest, "name") == '\0' || *text_of(document.manifest, "kind") == '\0')
        return -EINVAL;
    rv_sha256_hex(&digest, document.hex);
    all = components(&document);
    root = json_pack("{s:s, s:s, s:s, s:o, s:i, s:{s:o}, s:O, s:o}", "$schema",
                     "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat", "CycloneDX",
                     "specVersion", "1.6", "serialNumber", serial_number(document.hex), "version",
                     1, "metadata", "component", model_component(&document), "components", all,
                     "dependencies", dependencies(all));
    json_decref(all);
    if (!root)
        return -ENOMEM;
    text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (!text)
        return -ENOMEM;
    rv_buf_add_str(buf, text);
    rv_buf_add_char(buf, '\n');
    return buf->failed ? -ENOMEM : 0;
}
