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
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

#include <cmath>

namespace bitloom::ui {

namespace {

constexpr int shownModels = 5; // of each list: the page is to fit without scrolling

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
    row->setContentsMargins(40, 40, 40, 40);
    row->setSpacing(40);
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
    m_pool.setMaxThreadCount(1);
    fillRecent();
    fillLocal();
    updateProblem();
    updateFonts();
    paintIcons();
}

WelcomePage::~WelcomePage() {
    m_search.cancel();
    m_pool.waitForDone();
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
    auto* problem = new QHBoxLayout(m_problemBox);
    problem->setContentsMargins(16, 12, 16, 12);
    problem->setSpacing(12);
    m_warning = new QLabel;
    problem->addWidget(m_warning, 0, Qt::AlignTop);
    m_problem = wrapped({});
    m_problem->setObjectName(QStringLiteral("welcomeProblem"));
    m_problem->setTextInteractionFlags(Qt::TextSelectableByMouse);
    problem->addWidget(m_problem, 1);
    column->addSpacing(8);
    column->addWidget(m_problemBox);

    m_drop = new Card(true);
    m_drop->setMinimumHeight(96);
    // As much room as the lists leave it: the first page is to look whole without them.
    m_drop->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Expanding);
    auto* drop = new QVBoxLayout(m_drop);
    drop->setSpacing(12);
    m_dropIcon = new QLabel;
    m_dropIcon->setAlignment(Qt::AlignCenter);
    auto* hint =
        new QLabel(tr("Or drop a model folder, or any file in it, anywhere on this window"));
    hint->setForegroundRole(QPalette::PlaceholderText);
    hint->setAlignment(Qt::AlignCenter);
    hint->setWordWrap(true);
    drop->addStretch(1);
    drop->addWidget(m_dropIcon);
    drop->addWidget(hint);
    drop->addStretch(1);
    column->addSpacing(8);
    column->addWidget(m_drop, 1);

    column->addSpacing(16);
    const auto list = [&](const QString& title, const QString& note) {
        ModelList made;
        made.box = new QWidget;
        auto* box = new QVBoxLayout(made.box);
        box->setContentsMargins(0, 0, 0, 8);
        box->setSpacing(8);
        auto* head = new QHBoxLayout;
        made.title = new QLabel(title);
        head->addWidget(made.title);
        head->addWidget(captionLabel(note), 1);
        box->addLayout(head);
        auto* card = new Card;
        made.rows = new QVBoxLayout(card);
        made.rows->setContentsMargins(1, 1, 1, 1);
        made.rows->setSpacing(0);
        box->addWidget(card);
        column->addWidget(made.box);
        return made;
    };
    m_recent = list(tr("Recent models"), {});
    m_local =
        list(tr("On this computer"), tr("found in the Hugging Face cache, headers read only"));
    m_nothing = captionLabel(
        tr("Models that you open are listed here, and those of the Hugging Face cache are found "
           "by themselves. Nothing is downloaded: get a model first, for example with "
           "huggingface-cli download, or try the sample."));
    m_nothing->setObjectName(QStringLiteral("welcomeNothing"));
    m_nothing->setWordWrap(true);
    column->addWidget(m_nothing);
    return side;
}

QWidget* WelcomePage::sampleCard() {
    auto* card = new Card;
    card->setMinimumWidth(500);
    card->setMaximumWidth(760);
    auto* column = new QVBoxLayout(card);
    column->setContentsMargins(1, 16, 1, 16);
    column->setSpacing(8);
    auto* head = new QHBoxLayout;
    head->setContentsMargins(15, 0, 15, 0); // as the plot's own head below
    m_sampleTitle = new QLabel(tr("The sample is ready"));
    m_sampleFacts = new ElidedLabel;
    m_sampleFacts->setForegroundRole(QPalette::PlaceholderText);
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
    budget->setContentsMargins(15, 8, 15, 8);
    budget->setSpacing(24);
    QLabel* label = headingLabel(tr("B&udget"));
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
    steps->setContentsMargins(15, 8, 15, 0);
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
        QLabel* heading = headingLabel(title);
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
    // Settled: sizes are exact only then.
    for (auto signal : {&Workbench::planChanged, &Workbench::planSettled})
        connect(m_sample, signal, this, &WelcomePage::updateSample);
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
        m_sampleFacts->setFullText(tr("%1, %2 parameters, %3, already analyzed")
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
            if (model.entries[l].role == LinearRole::Down &&
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

void WelcomePage::clear(ModelList& list) {
    while (QLayoutItem* item = list.rows->takeAt(0)) {
        delete item->widget();
        delete item;
    }
}

/// Name and facts at the left, bytes and what can be done with it at the right.
void WelcomePage::addModel(ModelList& list, const ModelRow& row) {
    if (list.rows->count() > 0) list.rows->addWidget(new Rule);
    auto* holder = new QWidget;
    auto* line = new QHBoxLayout(holder);
    line->setContentsMargins(16, 8, 12, 8);
    line->setSpacing(16);
    auto* text = new QVBoxLayout;
    text->setSpacing(2);
    auto* name = new ElidedLabel(nullptr, Qt::ElideMiddle);
    name->setFullText(row.name);
    name->setFont(headingFont());
    name->setEnabled(row.live);
    auto* facts = new ElidedLabel(nullptr, row.live ? Qt::ElideMiddle : Qt::ElideRight);
    facts->setFullText(row.facts);
    facts->setFont(captionFont());
    facts->setForegroundRole(QPalette::PlaceholderText);
    text->addWidget(name);
    text->addWidget(facts);
    line->addLayout(text, 1);
    if (!row.size.isEmpty()) line->addWidget(new QLabel(row.size));
    auto* button = new QPushButton(row.verb);
    button->setAccessibleName(QStringLiteral("%1: %2").arg(row.verb, row.path));
    button->setEnabled(bool(row.act));
    if (row.act) connect(button, &QPushButton::clicked, this, row.act);
    line->addWidget(button);
    list.rows->addWidget(holder);
}

void WelcomePage::fillRecent() {
    clear(m_recent);
    const QStringList recent = m_workbench.settings().recentModels();
    for (const QString& folder : recent.mid(0, shownModels)) {
        const bool there = m_workbench.settings().engineIsRemote() || QFileInfo::exists(folder);
        ModelRow row;
        row.name = QFileInfo(folder).fileName();
        row.path = folder;
        row.facts = there ? folder : tr("missing: %1").arg(folder);
        row.live = there;
        row.verb = there ? tr("Open") : tr("Remove");
        if (there)
            row.act = [this, folder] { emit modelChosen(folder); };
        else
            row.act = [this, folder] { m_workbench.settings().removeRecentModel(folder); };
        addModel(m_recent, row);
    }
    m_recent.box->setVisible(!recent.isEmpty());
    m_nothing->setVisible(recent.isEmpty() && m_found.empty());
}

void WelcomePage::fillLocal() {
    clear(m_local);
    for (const LocalModel& model : m_found) {
        ModelRow row;
        row.name = row.path = model.name;
        row.facts = model.facts;
        row.live = model.opens;
        row.verb = tr("Open");
        if (model.bytes > 0) row.size = bytesText(QLocale(), double(model.bytes));
        if (model.opens) row.act = [this, name = model.name] { emit modelChosen(name); };
        addModel(m_local, row);
    }
    m_local.box->setVisible(!m_found.empty());
    m_nothing->setVisible(m_found.empty() && m_workbench.settings().recentModels().isEmpty());
}

/// Each time the page is shown: a download may have ended meanwhile.
void WelcomePage::searchLocal() {
    if (m_workbench.settings().engineIsRemote()) { // this machine's are none of that engine's
        m_found.clear();
        fillLocal();
        return;
    }
    m_search.start(
        [](const JobSlot::Cancelled& cancelled) { return findLocalModels(shownModels, cancelled); },
        [this](std::vector<LocalModel>& found) {
            m_found = std::move(found);
            fillLocal();
        });
}

void WelcomePage::updateProblem() {
    const bool failed = m_workbench.phase() == Workbench::Phase::Failed;
    m_problemBox->setVisible(failed);
    if (!failed) return;
    const auto& problem = m_workbench.error();
    QStringList lines{QStringLiteral("<b>%1</b>").arg(tr("The model could not be opened"))};
    for (const QString& line : {problem.what, problem.hint})
        if (!line.isEmpty()) lines << line.toHtmlEscaped();
    m_problem->setText(lines.join(QStringLiteral("<br>")));
    paintIcons();
}

void WelcomePage::paintIcons() {
    const PlotTheme theme = PlotTheme::of(palette());
    m_dropIcon->setPixmap(symbolPixmap(QStringLiteral("folder-drop"), theme.secondary, {32, 32},
                                       devicePixelRatioF()));
    m_warning->setPixmap(
        symbolPixmap(QStringLiteral("warning"), theme.warning, {20, 20}, devicePixelRatioF()));
}

void WelcomePage::updateFonts() {
    m_title->setFont(titleFont());
    m_sampleTitle->setFont(headingFont());
    m_sampleFacts->setFont(captionFont());
    for (const ModelList& list : {m_recent, m_local})
        list.title->setFont(headingFont());
}

void WelcomePage::paintEvent(QPaintEvent*) {
    QPainter(this).fillRect(rect(), palette().brush(QPalette::Window));
}

void WelcomePage::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange && m_title) {
        updateFonts();
        fillRecent();
        fillLocal();
    }
    if (event->type() == QEvent::PaletteChange && m_title) paintIcons();
}

void WelcomePage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    wake();
    searchLocal();
}

} // namespace bitloom::ui
