/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the configuration to a source of samples. */
#include "sampling.h"

#include "base/error.h"
#include "base/log.h"
#include "sample/perf-source.h"
#include "sample/spe-source.h"

/* Where the period starts; what draining costs moves it from there. */
#define FIRST_PERIOD 65536
/* Of a thread: 4,000 records of 64 bytes. */
#define AUX_BYTES (256 * 1024)

struct _FolioSampling {
    GObject parent;

    char *sys_root;
    FolioSampler *sampler;
    FolioSamplingConfig config;
    gboolean configured;
    guint serial; /* of the last choice begun */
    char *problem;
};

G_DEFINE_FINAL_TYPE(FolioSampling, folio_sampling, G_TYPE_OBJECT)

enum { SIGNAL_CHANGED, N_SIGNALS };

static guint signals[N_SIGNALS];

typedef struct {
    FolioSamplingConfig config;
    guint serial;
} Choice;

static FolioSource *
make_perf(const FolioSamplingConfig *config, const char *sys_root)
{
    FolioPerfSourceOptions options = folio_perf_minor_faults;

    if (!config->minor_faults) {
        options.what = "the event of PerfEvent=";
        options.type = config->event_type;
        options.config = config->event_config;
        options.period = FIRST_PERIOD;
    }
    options.sys_root = sys_root;
    return folio_perf_source_new(&options);
}

/* NULL without an error: there is to be none. */
static FolioSource *
make_source(const FolioSamplingConfig *config, const char *sys_root, GError **error)
{
    const FolioSpeSourceOptions spe = { .sys_root = sys_root,
                                        .period = FIRST_PERIOD,
                                        .aux_bytes = AUX_BYTES };

    switch (config->source) {
    case FOLIO_SOURCE_NONE:
        return NULL;
    case FOLIO_SOURCE_PERF:
        return make_perf(config, sys_root);
    case FOLIO_SOURCE_AUTO:
        return folio_spe_source_new(&spe, NULL);
    case FOLIO_SOURCE_SPE:
    default:
        return folio_spe_source_new(&spe, error);
    }
}

static void
source_free(gpointer data)
{
    FolioSource *source = data;

    source->klass->free(source);
}

static void
choose_in_thread(GTask *task, gpointer object, gpointer task_data, GCancellable *cancellable)
{
    FolioSampling *sampling = object;
    const Choice *choice = task_data;
    GError *error = NULL;
    FolioSource *source = make_source(&choice->config, sampling->sys_root, &error);

    if (error != NULL)
        g_task_return_error(task, error);
    else
        g_task_return_pointer(task, source, source_free);
}

static void
on_chosen(GObject *object, GAsyncResult *result, gpointer user_data)
{
    FolioSampling *sampling = FOLIO_SAMPLING(object);
    const Choice *choice = g_task_get_task_data(G_TASK(result));
    const FolioSamplerSettings settings = { .cpu_share = choice->config.cpu_share,
                                            .epoch_msec = choice->config.epoch_msec };
    g_autoptr(GError) error = NULL;
    FolioSource *source = g_task_propagate_pointer(G_TASK(result), &error);

    if (choice->serial != sampling->serial) {
        g_clear_pointer(&source, source_free);
        return;
    }
    folio_sampler_configure(sampling->sampler, source, &settings);
    g_free(sampling->problem);
    sampling->problem = g_strdup(error != NULL ? error->message : "");
    if (error != NULL)
        folio_warning("nothing is sampled: %s", error->message);
    else
        folio_message("source of samples: %s", source != NULL ? source->klass->name : "none");
    g_signal_emit(sampling, signals[SIGNAL_CHANGED], 0);
}

void
folio_sampling_configure(FolioSampling *sampling, const FolioSamplingConfig *config)
{
    g_autoptr(GTask) task = NULL;
    Choice *choice;

    if (sampling->configured && folio_sampling_config_equal(config, &sampling->config))
        return;
    sampling->configured = TRUE;
    sampling->config = *config;
    choice = g_new0(Choice, 1);
    choice->config = *config;
    choice->serial = ++sampling->serial;
    task = g_task_new(sampling, NULL, on_chosen, NULL);
    g_task_set_task_data(task, choice, g_free);
    g_task_run_in_thread(task, choose_in_thread);
}

const char *
folio_sampling_get_problem(FolioSampling *sampling)
{
    return sampling->problem;
}

FolioSampler *
folio_sampling_get_sampler(FolioSampling *sampling)
{
    return sampling->sampler;
}

FolioSampling *
folio_sampling_new(const char *proc_root, const char *sys_root)
{
    FolioSampling *sampling = g_object_new(FOLIO_TYPE_SAMPLING, NULL);

    sampling->sys_root = g_strdup(sys_root);
    sampling->sampler = folio_sampler_new(proc_root);
    return sampling;
}

static void
folio_sampling_finalize(GObject *object)
{
    FolioSampling *sampling = FOLIO_SAMPLING(object);

    g_clear_pointer(&sampling->sampler, folio_sampler_free);
    g_free(sampling->problem);
    g_free(sampling->sys_root);
    G_OBJECT_CLASS(folio_sampling_parent_class)->finalize(object);
}

static void
folio_sampling_class_init(FolioSamplingClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = folio_sampling_finalize;
    signals[SIGNAL_CHANGED] = g_signal_new("changed", FOLIO_TYPE_SAMPLING, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
folio_sampling_init(FolioSampling *sampling)
{
    sampling->problem = g_strdup("");
}
