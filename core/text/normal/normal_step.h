/* What the files normal_*.c share: one function a family of steps. */
#ifndef MAREA_TEXT_NORMAL_STEP_H
#define MAREA_TEXT_NORMAL_STEP_H

#include "text/normal/normal.h"

/* Writes what becomes of `in`, all of it; `in` is valid UTF-8. */
typedef marea_status normal_step(const marea_normal_step *step, marea_text in, marea_rewrite *out,
                                 marea_normal_report *report);

normal_step marea_normal_form, marea_normal_lower, marea_normal_lower_ascii, marea_normal_fold,
    marea_normal_accents, marea_normal_marks, marea_normal_html, marea_normal_urls,
    marea_normal_digits, marea_normal_replace, marea_normal_characters, marea_normal_prepend,
    marea_normal_strip, marea_normal_collapse, marea_normal_clean, marea_normal_cjk_spaces,
    marea_normal_own;

/* Decomposes `in` canonically or (compatibly) by form and composes it again if the form says so;
 * for a short text. Appends to `out` as a change of all of `in`. */
marea_status marea_normal_segment(marea_normal_kind form, marea_text in, marea_rewrite *out);

/* Length of the segment at the start of `in`: a character with the marks that belong to it. */
size_t marea_normal_segment_length(marea_text in);

#endif
