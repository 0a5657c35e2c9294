/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A picture as a list of what is to be painted, in pixels from its upper left corner. Pure: what
 * paints it is scene-paint.h. */
#pragma once

#include <glib.h>

typedef enum {
    FOLIO_SCENE_RECTANGLE,
    FOLIO_SCENE_FRAME, /* the outline of one */
    FOLIO_SCENE_LINE,  /* from x, y to x + width, y + height */
    FOLIO_SCENE_DASHES,
    FOLIO_SCENE_TEXT,
} FolioSceneKind;

/* Which end of the text is at x; y is its base line. */
typedef enum { FOLIO_ALIGN_LEFT, FOLIO_ALIGN_MIDDLE, FOLIO_ALIGN_RIGHT } FolioAlign;

typedef enum {
    FOLIO_TEXT_TITLE, /* 18 pixels, bold */
    FOLIO_TEXT_PLAIN, /* 12 pixels */
    FOLIO_TEXT_SMALL, /* 10 pixels */
} FolioTextStyle;

typedef struct {
    FolioSceneKind kind;
    double x, y, width, height; /* of a text: width is the most that it may take, 0 for any */
    guint32 colour;             /* 0xrrggbb */
    FolioAlign align;
    FolioTextStyle style;
    char *text; /* valid UTF-8 of printable characters */
} FolioSceneItem;

typedef struct {
    double width, height;
    GArray *items;      /* FolioSceneItem, the first one lowest */
    char *title, *text; /* for those who search or cannot see it; printable, NULL for none */
} FolioScene;

FolioScene *folio_scene_new(void);

void folio_scene_free(FolioScene *scene);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioScene, folio_scene_free)

/* Of one of the kinds without text. */
void folio_scene_add(FolioScene *scene, FolioSceneKind kind, double x, double y, double width,
                     double height, guint32 colour);

/* text may be foreign: what cannot be shown becomes a question mark. */
void folio_scene_add_text(FolioScene *scene, double x, double y, FolioTextStyle style,
                          FolioAlign align, const char *text);

/* Both may be foreign. */
void folio_scene_describe(FolioScene *scene, const char *title, const char *text);

/* Limits the text that was added last: it is cut, with an ellipsis, where it is wider. */
void folio_scene_limit_text(FolioScene *scene, double width);
