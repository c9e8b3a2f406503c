/* SPDX-License-Identifier: MIT */
/* export_card.h -- README.md of an export: the data set's card. */
#ifndef DATASETS_EXPORT_CARD_H
#define DATASETS_EXPORT_CARD_H

#include "cwm/base/buf.h"
#include "datasets/export.h"
#include "datasets/export_files.h"
#include "datasets/stats.h"

/* Append it to `out`; `s` is the store that `stats` was made of.  Fails:
 * reading the store. */
enum cwm_rc export_card(const struct export_options *options, struct store *s,
                        const struct export_stats *done,
                        const struct stats *stats,
                        const struct export_files *files, struct cwm_buf *out,
                        struct cwm_err *err);

#endif /* DATASETS_EXPORT_CARD_H */
