/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's place with the sampler. */
#include "guest-sampling.h"

struct _FolioGuestSampling {
    FolioSampling *sampling;
    FolioSampledChanged changed;
    gpointer user_data;
    FolioSampled *guest; /* NULL: not sampled */
    gboolean paused;
    pid_t pid;
    guint64 start_time;
    FolioGuestRam *ram;        /* as it is sampled */
    FolioHeatSummary *brought; /* for when that begins; NULL: none */
};

FolioGuestSampling *
folio_guest_sampling_new(FolioSampling *sampling, FolioSampledChanged changed, gpointer user_data)
{
    FolioGuestSampling *made = g_new0(FolioGuestSampling, 1);

    made->sampling = g_object_ref(sampling);
    made->changed = changed;
    made->user_data = user_data;
    return made;
}

static void
leave(FolioGuestSampling *sampling)
{
    g_clear_pointer(&sampling->guest, folio_sampled_remove);
    g_clear_pointer(&sampling->ram, folio_guest_ram_free);
    sampling->paused = FALSE;
}

void
folio_guest_sampling_free(FolioGuestSampling *sampling)
{
    leave(sampling);
    g_free(sampling->brought);
    g_object_unref(sampling->sampling);
    g_free(sampling);
}

void
folio_guest_sampling_bring(FolioGuestSampling *sampling, FolioHeatSummary *brought)
{
    g_free(sampling->brought);
    sampling->brought = brought;
}

static gboolean
same_ram(const FolioGuestRam *a, const FolioGuestRam *b)
{
    if (a->blocks->len != b->blocks->len)
        return FALSE;
    for (guint i = 0; i < a->blocks->len; i++) {
        const FolioRamBlock *one = g_ptr_array_index(a->blocks, i);
        const FolioRamBlock *other = g_ptr_array_index(b->blocks, i);

        if (one->hva != other->hva || one->bytes != other->bytes || one->inode != other->inode ||
            one->shared != other->shared)
            return FALSE;
    }
    return TRUE;
}

static gboolean
is_sampled(const FolioGuestSampling *sampling, FolioProcess *process, const FolioGuestRam *ram)
{
    return sampling->guest != NULL && sampling->pid == folio_process_get_pid(process) &&
           sampling->start_time == folio_process_get_start_time(process) &&
           same_ram(sampling->ram, ram);
}

void
folio_guest_sampling_follow(FolioGuestSampling *sampling, FolioProcess *process,
                            const FolioGuestRam *ram)
{
    if (process == NULL) {
        leave(sampling);
        return;
    }
    if (is_sampled(sampling, process, ram))
        return;
    leave(sampling);
    sampling->pid = folio_process_get_pid(process);
    sampling->start_time = folio_process_get_start_time(process);
    sampling->ram = folio_guest_ram_copy(ram);
    sampling->guest = folio_sampler_add_with(folio_sampling_get_sampler(sampling->sampling),
                                             process, ram, g_steal_pointer(&sampling->brought),
                                             sampling->changed, sampling->user_data);
}

void
folio_guest_sampling_pause(FolioGuestSampling *sampling, gboolean paused)
{
    if (sampling->guest == NULL || sampling->paused == paused)
        return;
    sampling->paused = paused;
    folio_sampled_pause(sampling->guest, paused);
}

void
folio_guest_sampling_get(FolioGuestSampling *sampling, FolioSamplingFigures *figures)
{
    const char *problem;

    *figures = (FolioSamplingFigures){ .state = FOLIO_SAMPLING_OFF, .source = "none" };
    if (sampling == NULL || sampling->guest == NULL)
        return;
    problem = folio_sampling_get_problem(sampling->sampling);
    folio_sampled_get_figures(sampling->guest, figures);
    if (*problem == '\0')
        return;
    figures->state = FOLIO_SAMPLING_FAILED;
    g_strlcpy(figures->error, problem, sizeof figures->error);
}

static FolioSampled *
sampled_of(FolioGuestSampling *sampling)
{
    return sampling != NULL ? sampling->guest : NULL;
}

void
folio_guest_sampling_follow_costs(FolioGuestSampling *sampling, guint8 *classes, guint n)
{
    FolioSampled *guest = sampled_of(sampling);

    if (guest != NULL)
        folio_sampled_follow(guest, classes, n);
    else
        g_free(classes);
}

FolioHeatSnapshot *
folio_guest_sampling_ref_heat(FolioGuestSampling *sampling)
{
    FolioSampled *guest = sampled_of(sampling);

    return guest != NULL ? folio_sampled_ref_heat(guest) : NULL;
}

FolioHeatHistory *
folio_guest_sampling_dup_history(FolioGuestSampling *sampling)
{
    FolioSampled *guest = sampled_of(sampling);

    return guest != NULL ? folio_sampled_dup_history(guest) : NULL;
}
