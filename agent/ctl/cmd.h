/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs of folioctl and what they share. */
#pragma once

#include "ctl/client.h"
#include "ctl/table.h"

/* Where pictures go, of folioctl heat and analyze. */
typedef struct {
    char *svg, *png; /* NULL for none */
    gboolean force;
} FolioPictureOptions;

/* Of folioctl heat and explain. */
typedef struct {
    gboolean by_time, by_given;
    gint64 block, top; /* -1: not given */
} FolioHeatOptions;

/* Of folioctl analyze. */
typedef struct {
    gboolean records, by_address, sort_given;
    guint64 window; /* ns; 0: not given */
    gint pid;       /* 0: not given */
    char *guest, *run_dir;
} FolioAnalyzeOptions;

typedef struct {
    FolioClient *client;      /* NULL for a verb that asks nobody */
    const char *guest;        /* UUID or name; NULL when not given */
    const char *file;         /* NULL for a verb that takes none */
    const char *const *words; /* those after the guest, or after the verb; NULL-terminated */
    const FolioAnalyzeOptions *analyze;
    const FolioPictureOptions *picture;
    const FolioHeatOptions *heat;
    guint order;      /* --order, of split */
    gboolean sparse;  /* --sparse, of split */
    gboolean force;   /* --force, of split */
    gboolean all;     /* --all, of split, collapse and analyze */
    gboolean restore; /* --restore, of pause */
    gboolean json;
    gboolean coloured;
    gboolean symbols; /* the terminal shows more than ASCII */
    guint width;      /* of the terminal; 0: no terminal, lines are not wrapped */
} FolioInvocation;

/* Each prints its result to standard output and returns the exit status; on failure it prints
 * nothing and sets an error. */
typedef FolioExitStatus (*FolioVerbRun)(const FolioInvocation *invocation, GError **error);

FolioExitStatus folio_cmd_status(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_list(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_show(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_metrics(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_heat(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_explain(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_doctor(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_set_mode(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_pause(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_resume(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_reload(const FolioInvocation *invocation, GError **error);

/* These print progress and what became of the job, which may be that it failed: then an error is
 * set. */
FolioExitStatus folio_cmd_split(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_collapse(const FolioInvocation *invocation, GError **error);
FolioExitStatus folio_cmd_restore(const FolioInvocation *invocation, GError **error);

/* Prints a line for each thing that happens, until Ctrl-C. */
FolioExitStatus folio_cmd_monitor(const FolioInvocation *invocation, GError **error);

/* Prints what was whole even of a file that is damaged, and sets an error. */
FolioExitStatus folio_cmd_analyze(const FolioInvocation *invocation, GError **error);

/* Adds the options to those of the program; options must outlive the context. */
void folio_analyze_add_options(GOptionContext *context, FolioAnalyzeOptions *options);

void folio_analyze_options_clear(FolioAnalyzeOptions *options);

/* Was any given? */
gboolean folio_analyze_options_given(const FolioAnalyzeOptions *options);

/* Is there to be a picture? */
gboolean folio_picture_options_given(const FolioPictureOptions *options);

/* What is wrong with the options together; NULL when nothing is. */
const char *folio_analyze_options_contradict(const FolioInvocation *invocation);

/* Appends "label   text"; text may be foreign, is wrapped, and takes the colour. */
void folio_append_field(const FolioInvocation *invocation, GString *out, const char *label,
                        FolioColour colour, const char *text);

/* Located, or beyond that. */
gboolean folio_state_is_served(const char *state);

FolioColour folio_state_colour(const char *state);

/* A number of bytes for people; "-" when unknown. */
char *folio_bytes_or_dash(guint64 bytes, gboolean known);

/* "512 MiB sparse, 2 GiB dense, 1 GiB undecided, 512 MiB idle" of a guest, or of several; "no
 * verdicts yet" unless known. */
char *folio_heat_totals(guint64 sparse, guint64 dense, guint64 undecided, guint64 idle,
                        gboolean known);

/* "3 ranges, 512 MiB huge, not judged". */
char *folio_nominated(guint64 ranges, guint64 bytes);

/* Is it told what is nominated of the guest? */
gboolean folio_guest_is_nominated(GVariant *guest);

/* "4 GiB, 3.9 GiB present, 3.8 GiB huge (97%)" and, when there is some, "8 MiB swapped". */
char *folio_ram_totals(guint64 ram, guint64 present, guint64 huge, guint64 swapped);
