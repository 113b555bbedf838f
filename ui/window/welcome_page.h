// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/background.h"
#include "ui/state/local_models.h"
#include "ui/state/workbench.h"

#include <QThreadPool>
#include <QWidget>

#include <functional>
#include <vector>

class QLabel;
class QPushButton;
class QVBoxLayout;

namespace bitloom::ui {

class BudgetSlider;
class ChannelPlot;
class ElidedLabel;

/// What stands in place of the views while no model is open: open, drop, recent models, those found
/// on this computer, and the sample, alive.
class WelcomePage : public QWidget {
    Q_OBJECT
public:
    WelcomePage(Workbench& workbench, const QString& sampleFolder, QWidget* parent = nullptr);
    ~WelcomePage() override;

    /// Opens the sample for the preview, once, in the background.
    void wake();

signals:
    void openRequested();
    void sampleRequested();
    void modelChosen(const QString& folder);

protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    struct ModelList {
        QWidget* box = nullptr;
        QLabel* title = nullptr;
        QVBoxLayout* rows = nullptr;
    };
    struct ModelRow {
        QString name, path, facts, size, verb;
        bool live = true;
        std::function<void()> act; ///< none: the button cannot be pressed
    };
    QWidget* leftSide();
    QWidget* sampleCard();
    static void clear(ModelList& list);
    void addModel(ModelList& list, const ModelRow& row);
    void fillRecent();
    void fillLocal();
    void searchLocal();
    void updateProblem();
    void updateSample();
    void updateFonts();
    void paintIcons();

    Workbench& m_workbench;
    QString m_sampleFolder;
    Workbench* m_sample = nullptr; ///< of its own: the preview changes nothing else
    QLabel *m_title = nullptr, *m_problem = nullptr, *m_sampleTitle = nullptr,
           *m_sampleFigures = nullptr, *m_nothing = nullptr, *m_dropIcon = nullptr,
           *m_warning = nullptr;
    QWidget *m_problemBox = nullptr, *m_drop = nullptr;
    ElidedLabel* m_sampleFacts = nullptr;
    ModelList m_recent, m_local;
    std::vector<LocalModel> m_found;
    ChannelPlot* m_plot = nullptr;
    BudgetSlider* m_slider = nullptr;
    std::vector<uint8_t> m_bits;
    QThreadPool m_pool;
    JobSlot m_search{m_pool};
};

} // namespace bitloom::ui
