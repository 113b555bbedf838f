// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QString>

namespace bitloom::ui {

class LogBuffer;
class Settings;

/// Grabs every view, panel and dialog into `folder` as PNG, light and dark, and the states that
/// they can be in: nothing open, nothing analyzed, half analyzed, answering, exporting, failed; and
/// once each German, right to left, small and large fonts and windows. The scale is that of the
/// process (QT_SCALE_FACTOR); it is part of the file names. With `engine` real jobs are run on the
/// sample, in a minute or so. True if nothing is missing; else standard error says what.
bool takeScreenshots(Settings& settings, LogBuffer& log, const QString& sampleFolder,
                     const QString& folder, bool engine);

} // namespace bitloom::ui
