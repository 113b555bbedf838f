// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QString>

namespace bitloom::ui {

class MainWindow;
class Settings;
class Workbench;

/// Grabs every view and dialog into `folder` as PNG, light and dark: welcome, explore (resting and
/// dragging), every panel, every dialog. The scale is that of the process (QT_SCALE_FACTOR); it is
/// part of the file names. Waits for the workbench; returns the number of pictures, or 0 with a
/// message on standard error.
int takeScreenshots(MainWindow& window, Workbench& workbench, Settings& settings,
                    const QString& folder);

} // namespace bitloom::ui
