/* SPDX-License-Identifier: MIT */
/* train_loader.h -- a loader of shards as a trainer's data. */
#ifndef CWM_MODEL_TRAIN_LOADER_H
#define CWM_MODEL_TRAIN_LOADER_H

#include "cwm/model/train.h"

/* `loader` is borrowed for as long as the data are used. */
struct train_data train_loader_data(struct loader *loader);

#endif /* CWM_MODEL_TRAIN_LOADER_H */
