// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/welcome_page.h"

#include "ui/models/texts.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/elided_label.h"
#include "ui/state/sensitivity.h"
#include "ui/state/settings.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"
#include "ui/window/budget_slider.h"

#include <QEvent>
#include <QFileInfo>
#include <QGridLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

#include <cmath>

namespace bitloom::ui {

namespace {

/// A panel with a hairline and corners of 8 px; dashed for the place to drop things.
class Card : public QWidget {
public:
    explicit Card(bool dashed = false) : m_dashed(dashed) {}

protected:
    void paintEvent(QPaintEvent*) override {
        const PlotTheme theme = PlotTheme::of(palette());
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        painter.setBrush(m_dashed ? QBrush(Qt::NoBrush) : QBrush(theme.panel));
        painter.setPen(QPen(m_dashed ? theme.border : theme.separator, 1,
                            m_dashed ? Qt::DashLine : Qt::SolidLine));
        painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8);
    }

private:
    bool m_dashed;
};

class Rule : public QWidget {
public:
    Rule() { setFixedHeight(1); }

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter(this).fillRect(rect(), PlotTheme::of(palette()).separator);
    }
};

QLabel* wrapped(const QString& text) {
    auto* label = new QLabel(text);
    label->setWordWrap(true);
    return label;
}

} // namespace

WelcomePage::WelcomePage(Workbench& workbench, const QString& sampleFolder, QWidget* parent)
    : QWidget(parent), m_workbench(workbench), m_sampleFolder(sampleFolder) {
    setObjectName(QStringLiteral("welcomePage"));
    auto* scroll = new QScrollArea;
    scroll->setProperty("flat-panel", true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setWidgetResizable(true);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->viewport()->setAutoFillBackground(false);
    auto* inside = new QWidget;
    inside->setAutoFillBackground(false);
    auto* row = new QHBoxLayout(inside);
    row->setContentsMargins(64, 48, 64, 48);
    row->setSpacing(48);
    row->addStretch(1);
    row->addWidget(leftSide(), 10);
    row->addWidget(sampleCard(), 12);
    row->addStretch(1);
    scroll->setWidget(inside);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(scroll);
    connect(&workbench.settings(), &Settings::recentChanged, this, &WelcomePage::fillRecent);
    connect(&workbench, &Workbench::phaseChanged, this, &WelcomePage::updateProblem);
    fillRecent();
    updateProblem();
    updateFonts();
}

QWidget* WelcomePage::leftSide() {
    auto* side = new QWidget;
    side->setMaximumWidth(600);
    auto* column = new QVBoxLayout(side);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(8);
    m_title = new QLabel(tr("Open a model"));
    column->addWidget(m_title);
    column->addWidget(
        wrapped(tr("A Hugging Face folder with config.json and safetensors. It is only "
                   "read, never copied or changed.")));
    column->addSpacing(8);
    auto* buttons = new QHBoxLayout;
    auto* open = new QPushButton(tr("Open folder…"));
    open->setObjectName(QStringLiteral("welcomeOpen"));
    open->setAccessibleName(tr("Open a model folder"));
    open->setProperty("primary", true);
    open->setMinimumHeight(36);
    open->setMinimumWidth(160);
    auto* sample = new QPushButton(symbol("play"), tr("Try the sample"));
    sample->setObjectName(QStringLiteral("welcomeSample"));
    sample->setAccessibleName(tr("Open the sample model"));
    sample->setMinimumHeight(36);
    buttons->addWidget(open);
    buttons->addWidget(sample);
    buttons->addStretch(1);
    column->addLayout(buttons);
    connect(open, &QPushButton::clicked, this, &WelcomePage::openRequested);
    connect(sample, &QPushButton::clicked, this, &WelcomePage::sampleRequested);

    m_problemBox = new Card;
    auto* problem = new QVBoxLayout(m_problemBox);
    problem->setContentsMargins(16, 12, 16, 12);
    m_problem = wrapped({});
    m_problem->setObjectName(QStringLiteral("welcomeProblem"));
    m_problem->setTextInteractionFlags(Qt::TextSelectableByMouse);
    problem->addWidget(m_problem);
    column->addSpacing(8);
    column->addWidget(m_problemBox);

    m_drop = new Card(true);
    m_drop->setMinimumHeight(80);
    auto* drop = new QHBoxLayout(m_drop);
    auto* hint =
        captionLabel(tr("Or drop a model folder, or any file in it, anywhere on this window"));
    hint->setAlignment(Qt::AlignCenter);
    hint->setWordWrap(true);
    drop->addWidget(hint);
    column->addSpacing(8);
    column->addWidget(m_drop);

    column->addSpacing(16);
    m_recentTitle = new QLabel(tr("Recent models"));
    column->addWidget(m_recentTitle);
    m_recentBox = new Card;
    m_recent = new QGridLayout(m_recentBox);
    m_recent->setContentsMargins(16, 8, 16, 8);
    m_recent->setHorizontalSpacing(8);
    m_recent->setVerticalSpacing(4);
    column->addWidget(m_recentBox);
    column->addStretch(1);
    return side;
}

QWidget* WelcomePage::sampleCard() {
    auto* card = new Card;
    card->setMinimumWidth(440);
    card->setMaximumWidth(760);
    auto* column = new QVBoxLayout(card);
    column->setContentsMargins(1, 16, 1, 16);
    column->setSpacing(8);
    auto* head = new QHBoxLayout;
    head->setContentsMargins(24, 0, 24, 0);
    m_sampleTitle = new QLabel(tr("The sample is ready"));
    m_sampleFacts = captionLabel({});
    head->addWidget(m_sampleTitle);
    head->addSpacing(4);
    head->addWidget(m_sampleFacts, 1);
    column->addLayout(head);
    m_plot = new ChannelPlot;
    m_plot->setObjectName(QStringLiteral("welcomePlot"));
    m_plot->canvas()->setAccessibleName(tr("Channels of the sample"));
    m_plot->setMinimumHeight(260);
    // A preview: one metric, nothing to choose.
    for (const char* id :
         {"channelMetric", "channelOrder", "channelLinear", "channelLogarithmic", "channelClip"})
        if (auto* control = m_plot->findChild<QWidget*>(QString::fromLatin1(id))) control->hide();
    PlotState waiting;
    waiting.kind = PlotState::Kind::Loading;
    waiting.message = tr("Opening the sample…");
    m_plot->setState(waiting);
    column->addWidget(m_plot, 1);
    column->addWidget(new Rule);
    auto* budget = new QHBoxLayout;
    budget->setContentsMargins(24, 8, 24, 8);
    budget->setSpacing(24);
    auto* label = new QLabel(tr("B&udget"));
    label->setFont(headingFont());
    m_slider = new BudgetSlider;
    m_slider->setObjectName(QStringLiteral("welcomeSlider"));
    m_slider->setAccessibleName(tr("Budget of the sample"));
    m_slider->setEnabled(false);
    label->setBuddy(m_slider);
    m_sampleFigures = new QLabel;
    m_sampleFigures->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    m_sampleFigures->setMinimumWidth(190);
    budget->addWidget(label);
    budget->addWidget(m_slider, 1);
    budget->addWidget(m_sampleFigures);
    column->addLayout(budget);
    column->addWidget(new Rule);
    auto* steps = new QHBoxLayout;
    steps->setContentsMargins(24, 8, 24, 0);
    steps->setSpacing(24);
    const std::pair<QString, QString> texts[] = {
        {tr("1. Open"), tr("Headers are read in under a second. Size and memory are known before "
                           "anything runs.")},
        {tr("2. Analyze"),
         tr("Measures once how much every channel matters. Stop and resume at any "
            "time.")},
        {tr("3. Drag the budget"), tr("Bits, exact bytes and perplexity follow the handle. Then "
                                      "measure or export.")}};
    for (const auto& [title, text] : texts) {
        auto* step = new QVBoxLayout;
        auto* heading = new QLabel(title);
        heading->setFont(headingFont());
        QLabel* body = wrapped(text);
        body->setAlignment(Qt::AlignLeft | Qt::AlignTop);
        step->setSpacing(4);
        step->addWidget(heading);
        step->addWidget(body);
        step->addStretch(1);
        steps->addLayout(step, 1);
    }
    column->addLayout(steps);
    return card;
}

void WelcomePage::wake() {
    if (m_sample || m_sampleFolder.isEmpty()) return;
    m_sample = new Workbench(m_workbench.settings(), this);
    connect(m_sample, &Workbench::planChanged, this, &WelcomePage::updateSample);
    connect(m_sample, &Workbench::phaseChanged, this, [this] {
        if (m_sample->phase() == Workbench::Phase::Failed) {
            PlotState state;
            state.kind = PlotState::Kind::Error;
            state.message = m_sample->error().what;
            state.detail = m_sample->error().hint;
            m_plot->setState(state);
            m_sampleTitle->setText(tr("The sample could not be opened"));
        }
        if (m_sample->phase() != Workbench::Phase::Ready) return;
        const ModelData& model = *m_sample->model();
        m_sampleFacts->setText(tr("%1, %2 parameters, %3, already analyzed")
                                   .arg(model.title, amountText(double(model.parameters)),
                                        bytesText(QLocale(), double(model.fp16Bytes))));
        const auto [low, high] = m_sample->range(Budget::Kind::Bits);
        m_slider->setScale(low, high, 0.01, false, [low = low, high = high](double v) {
            return v == low || v == high ? fixedText(v, 2) : QLocale().toString(v, 'g', 3);
        });
        m_slider->setEnabled(true);
        m_slider->setRealValue(m_sample->figures().bitsPerWeight);
        int layer = 0;
        for (size_t l = 0; l < model.entries.size(); ++l)
            if (model.entries[l].role == LinearRole::Up &&
                model.entries[l].block == model.blocks / 2)
                layer = int(l);
        m_sample->selectLayer(layer);
        const LayerEntry& entry = model.entries[size_t(layer)];
        ChannelData data;
        data.layer = entry.path;
        data.rows = entry.rows;
        data.channels = int(entry.cols);
        data.values[size_t(ChannelMetric::ActivationAbsmax)] =
            channelValues(model, layer, ChannelMetric::ActivationAbsmax);
        data.values[size_t(ChannelMetric::Sensitivity)] =
            channelValues(model, layer, ChannelMetric::Sensitivity);
        m_plot->setData(std::move(data));
        m_plot->setState({});
        updateSample();
    });
    connect(m_slider, &QSlider::sliderPressed, this, [this] { m_plot->setLive(true); });
    connect(m_slider, &QSlider::sliderReleased, this, [this] { m_plot->setLive(false); });
    connect(m_slider, &BudgetSlider::moved, m_sample, [this](double bits) {
        m_sample->requestBudget({Budget::Kind::Bits, bits}, true);
    });
    m_sample->openModel(m_sampleFolder);
}

void WelcomePage::updateSample() {
    if (!m_sample->hasPlan() || m_sample->selectedLayer() < 0) return;
    m_bits.clear();
    for (const uint8_t point : m_sample->plan().points(m_sample->selectedLayer()))
        m_bits.push_back(uint8_t(m_sample->model()->menu[point].bits));
    m_plot->setPlan(m_bits);
    const PlanFigures& f = m_sample->figures();
    m_sampleFigures->setText(
        QStringLiteral("<span style=\"font-size:%1pt; font-weight:600\">%2</span> %3<br>%4")
            .arg(figureFont().pointSizeF())
            .arg(fixedText(f.bitsPerWeight, 2), tr("bits"),
                 tr("%1, %2 % of FP16")
                     .arg(bytesText(QLocale(), double(f.size.totalBytes)))
                     .arg(qRound(100 * double(f.size.totalBytes) /
                                 double(m_sample->model()->fp16Bytes)))));
}

void WelcomePage::fillRecent() {
    while (QLayoutItem* item = m_recent->takeAt(0)) {
        delete item->widget();
        delete item;
    }
    const QStringList recent = m_workbench.settings().recentModels();
    m_recentTitle->setVisible(!recent.isEmpty());
    m_recentBox->setVisible(!recent.isEmpty());
    int row = 0;
    for (const QString& folder : recent) {
        if (row == 6) break;
        const bool there = m_workbench.settings().engineIsRemote() || QFileInfo::exists(folder);
        const QString title = QFileInfo(folder).fileName();
        auto* name = new ElidedLabel;
        name->setFullText(title);
        name->setEnabled(there);
        QLabel* path = new ElidedLabel;
        static_cast<ElidedLabel*>(path)->setFullText(there ? folder
                                                           : tr("missing: %1").arg(folder));
        path->setFont(captionFont());
        path->setEnabled(false);
        auto* text = new QVBoxLayout;
        text->setSpacing(0);
        text->addWidget(name);
        text->addWidget(path);
        auto* holder = new QWidget;
        holder->setLayout(text);
        text->setContentsMargins(0, 4, 0, 4);
        auto* button = new QPushButton(there ? tr("Open") : tr("Remove"));
        button->setAccessibleName(there ? tr("Open %1").arg(folder) : tr("Remove %1").arg(folder));
        connect(button, &QPushButton::clicked, this, [this, folder, there] {
            if (there)
                emit modelChosen(folder);
            else
                m_workbench.settings().removeRecentModel(folder);
        });
        m_recent->addWidget(holder, row, 0);
        m_recent->addWidget(button, row, 1, Qt::AlignVCenter | Qt::AlignRight);
        ++row;
    }
    m_recent->setColumnStretch(0, 1);
}

void WelcomePage::updateProblem() {
    const bool failed = m_workbench.phase() == Workbench::Phase::Failed;
    m_problemBox->setVisible(failed);
    if (!failed) return;
    const auto& problem = m_workbench.error();
    m_problem->setText(
        QStringLiteral("<b>%1</b><br>%2")
            .arg(tr("The model could not be opened"), QStringList{problem.what, problem.hint}
                                                          .join(QLatin1Char(' '))
                                                          .trimmed()
                                                          .toHtmlEscaped()));
}

void WelcomePage::updateFonts() {
    m_title->setFont(titleFont());
    m_sampleTitle->setFont(headingFont());
    m_recentTitle->setFont(headingFont());
}

void WelcomePage::paintEvent(QPaintEvent*) {
    QPainter(this).fillRect(rect(), palette().brush(QPalette::Window));
}

void WelcomePage::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange && m_title) {
        updateFonts();
        fillRecent();
    }
}

void WelcomePage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    wake();
}

} // namespace bitloom::ui
