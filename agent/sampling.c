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

/* How often the number of threads is looked at. Whether it is by process or by host does not change
 * more often either. */
#define LOOK_SEC 10

struct _FolioSampling {
    GObject parent;

    char *sys_root;
    FolioSampler *sampler;
    FolioSamplingConfig config;
    gboolean configured;
    guint serial;       /* of the last choice begun */
    const char *source; /* in use; "none" */
    gboolean by_host;   /* the choice made last, which may be under way */
    gboolean used_by_host;
    guint look_source; /* 0: it does not depend on the number of threads */
    char *problem;
};

G_DEFINE_FINAL_TYPE(FolioSampling, folio_sampling, G_TYPE_OBJECT)

enum { SIGNAL_CHANGED, N_SIGNALS };

static guint signals[N_SIGNALS];

typedef struct {
    FolioSamplingConfig config;
    gboolean by_host;
    guint serial;
} Choice;

gboolean
folio_sampling_wants_host(FolioSampleBy sample_by, gboolean by_host, guint threads, guint cpus)
{
    const guint enough = by_host ? FOLIO_HOST_THREADS / 2 : FOLIO_HOST_THREADS;

    if (sample_by != FOLIO_SAMPLE_BY_AUTO)
        return sample_by == FOLIO_SAMPLE_BY_HOST;
    return threads >= enough && threads > cpus;
}

static FolioSource *
make_perf(const FolioSamplingConfig *config, gboolean by_host, const char *sys_root)
{
    FolioPerfSourceOptions options = folio_perf_minor_faults;

    if (!config->minor_faults) {
        options.what = "the event of PerfEvent=";
        options.type = config->event_type;
        options.config = config->event_config;
        options.period = FIRST_PERIOD;
    }
    options.whole_host = by_host;
    options.sys_root = sys_root;
    return folio_perf_source_new(&options);
}

/* NULL without an error: there is to be none. */
static FolioSource *
make_source(const Choice *choice, const char *sys_root, GError **error)
{
    const FolioSpeSourceOptions spe = { .sys_root = sys_root,
                                        .period = FIRST_PERIOD,
                                        .aux_bytes = AUX_BYTES,
                                        .whole_host = choice->by_host };

    switch (choice->config.source) {
    case FOLIO_SOURCE_NONE:
        return NULL;
    case FOLIO_SOURCE_PERF:
        return make_perf(&choice->config, choice->by_host, sys_root);
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
    FolioSource *source = make_source(choice, sampling->sys_root, &error);

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
    sampling->source = source != NULL ? source->klass->name : "none";
    sampling->used_by_host = choice->by_host;
    g_free(sampling->problem);
    sampling->problem = g_strdup(error != NULL ? error->message : "");
    if (error != NULL)
        folio_warning("nothing is sampled: %s", error->message);
    else if (source == NULL)
        folio_message("source of samples: none");
    else
        folio_message("source of samples: %s, by %s", sampling->source,
                      folio_sampling_get_sampled_by(sampling));
    g_signal_emit(sampling, signals[SIGNAL_CHANGED], 0);
}

static void
choose(FolioSampling *sampling, gboolean by_host)
{
    g_autoptr(GTask) task = g_task_new(sampling, NULL, on_chosen, NULL);
    Choice *choice = g_new0(Choice, 1);

    sampling->by_host = by_host;
    choice->config = sampling->config;
    choice->by_host = by_host;
    choice->serial = ++sampling->serial;
    g_task_set_task_data(task, choice, g_free);
    g_task_run_in_thread(task, choose_in_thread);
}

static gboolean
wants_host(FolioSampling *sampling)
{
    FolioSamplingHostFigures host;

    folio_sampler_get_host_figures(sampling->sampler, &host);
    return folio_sampling_wants_host(sampling->config.sample_by, sampling->by_host, host.threads,
                                     g_get_num_processors());
}

static gboolean
on_look(gpointer user_data)
{
    FolioSampling *sampling = user_data;
    const gboolean by_host = wants_host(sampling);

    if (by_host != sampling->by_host)
        choose(sampling, by_host);
    return G_SOURCE_CONTINUE;
}

void
folio_sampling_configure(FolioSampling *sampling, const FolioSamplingConfig *config)
{
    if (sampling->configured && folio_sampling_config_equal(config, &sampling->config))
        return;
    sampling->configured = TRUE;
    sampling->config = *config;
    g_clear_handle_id(&sampling->look_source, g_source_remove);
    if (config->source != FOLIO_SOURCE_NONE && config->sample_by == FOLIO_SAMPLE_BY_AUTO)
        sampling->look_source = g_timeout_add_seconds(LOOK_SEC, on_look, sampling);
    choose(sampling, wants_host(sampling));
}

const char *
folio_sampling_get_source(FolioSampling *sampling)
{
    return sampling->source;
}

const char *
folio_sampling_get_sampled_by(FolioSampling *sampling)
{
    if (g_str_equal(sampling->source, "none"))
        return "none";
    return sampling->used_by_host ? "host" : "process";
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

    g_clear_handle_id(&sampling->look_source, g_source_remove);
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
    sampling->source = "none";
    sampling->problem = g_strdup("");
}
