/* SPDX-License-Identifier: MIT */
/* export_card.h -- README.md of an export: the data set's card. */
#ifndef DATASETS_EXPORT_CARD_H
#define DATASETS_EXPORT_CARD_H

#include "cwm/base/buf.h"
#include "datasets/export.h"
#include "datasets/export_files.h"
#include "datasets/stats.h"

/* Append it to `out`. */
void export_card(const struct export_options *options,
                 const struct export_stats *done, const struct stats *store,
                 const struct export_files *files, struct cwm_buf *out);

#endif /* DATASETS_EXPORT_CARD_H */
