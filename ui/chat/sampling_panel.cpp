// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/sampling_panel.h"

#include "ui/theme/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QEvent>
#include <QFormLayout>
#include <QLabel>
#include <QScrollBar>
#include <QSpinBox>

namespace bitloom::ui {

SamplingPanel::SamplingPanel(ChatSession& session, QWidget* parent)
    : QScrollArea(parent), m_session(session) {
    setObjectName(QStringLiteral("samplingPanel"));
    setFrameShape(QFrame::NoFrame);
    setProperty("flat-panel", true);
    setWidgetResizable(true);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFocusPolicy(Qt::NoFocus);
    auto* page = new QWidget;
    page->setBackgroundRole(QPalette::Base);
    page->setAutoFillBackground(true);
    auto* form = new QFormLayout(page);
    form->setContentsMargins(panelMargin, 12, panelMargin, 12);
    form->setHorizontalSpacing(16);
    form->setVerticalSpacing(6);
    form->setLabelAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->setFormAlignment(Qt::AlignTop);

    const auto number = [&](const QString& id, const QString& label, const QString& name,
                            double low, double high, double step, const QString& tip) {
        auto* box = new QDoubleSpinBox;
        box->setObjectName(id);
        box->setAccessibleName(name);
        box->setToolTip(tip);
        box->setWhatsThis(tip);
        box->setRange(low, high);
        box->setSingleStep(step);
        box->setDecimals(2);
        box->setAlignment(Qt::AlignRight);
        box->setMinimumWidth(80);
        connect(box, &QDoubleSpinBox::valueChanged, this, &SamplingPanel::changed);
        auto* text = new QLabel(label);
        text->setBuddy(box);
        form->addRow(text, box);
        return box;
    };
    const auto count = [&](const QString& id, const QString& label, const QString& name, int low,
                           int high, const QString& tip) {
        auto* box = new QSpinBox;
        box->setObjectName(id);
        box->setAccessibleName(name);
        box->setToolTip(tip);
        box->setWhatsThis(tip);
        box->setRange(low, high);
        box->setAlignment(Qt::AlignRight);
        box->setMinimumWidth(80);
        connect(box, &QSpinBox::valueChanged, this, &SamplingPanel::changed);
        auto* text = new QLabel(label);
        text->setBuddy(box);
        form->addRow(text, box);
        return box;
    };
    const auto id = [](const char* text) { return QString::fromLatin1(text); };
    m_temperature = number(id("temperature"), tr("&Temperature"), tr("Temperature"), 0, 5, 0.1,
                           tr("0 always takes the likeliest token (greedy)."));
    m_topP = number(id("topP"), tr("Top-&p"), tr("Top-p"), 0.01, 1, 0.05,
                    tr("Draws from the likeliest tokens that together have this probability."));
    m_topK = count(id("topK"), tr("Top-&k"), tr("Top-k"), 0, 1000,
                   tr("Draws from so many of the likeliest tokens."));
    m_topK->setSpecialValueText(tr("off"));
    m_minP = number(id("minP"), tr("&Min-p"), tr("Min-p"), 0, 1, 0.01,
                    tr("Leaves out tokens that are less likely than this share of the likeliest."));
    m_penalty =
        number(id("repetitionPenalty"), tr("&Repetition penalty"), tr("Repetition penalty"), 0.5, 2,
               0.05, tr("Makes tokens that were there less likely; 1 changes nothing."));
    m_seed = count(id("seed"), tr("S&eed"), tr("Seed"), 0, 1'000'000'000,
                   tr("Both sides draw with the same random numbers."));
    m_maxTokens = count(id("maxTokens"), tr("Most &new tokens"), tr("Most new tokens"), 1, 100'000,
                        tr("The answer ends here at the latest."));
    m_note = captionLabel({});
    m_note->setForegroundRole(QPalette::PlaceholderText);
    m_note->setWordWrap(true);
    form->addRow(m_note);
    m_run = new QComboBox;
    m_run->setObjectName(QStringLiteral("runOrder"));
    m_run->setAccessibleName(tr("Order of the answers"));
    m_run->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_run->setMinimumContentsLength(9);
    m_run->addItem(tr("both at once"), true);
    m_run->addItem(tr("one after the other"), false);
    m_run->setToolTip(tr("One after the other needs the memory of one model only."));
    connect(m_run, &QComboBox::currentIndexChanged, this, &SamplingPanel::changed);
    auto* runLabel = new QLabel(tr("R&un"));
    runLabel->setBuddy(m_run);
    form->addRow(runLabel, m_run);
    const auto check = [&](const QString& name, const QString& text, const QString& tip) {
        auto* box = new QCheckBox(text);
        box->setObjectName(name);
        QString plain = text;
        box->setAccessibleName(plain.remove(QLatin1Char('&')));
        box->setToolTip(tip);
        box->setWhatsThis(tip);
        connect(box, &QCheckBox::toggled, this, &SamplingPanel::changed);
        form->addRow(box);
        return box;
    };
    m_score = check(QStringLiteral("scoreAnswer"), tr("Score the &left text by both"),
                    tr("Teacher forcing: both models read the left answer, and every token is "
                       "judged by what each predicted from the tokens before it. KL is the "
                       "divergence of the right model's distribution from the left one's, in "
                       "nats."));
    m_continued = check(QStringLiteral("continueConversation"), tr("&Continue the conversation"),
                        tr("A prompt follows the answers before it, on a line of its own. "
                           "Otherwise every prompt stands alone."));
    setWidget(page);
    show(session.options());
    connect(&session, &ChatSession::optionsChanged, this, [this] { show(m_session.options()); });
}

QSize SamplingPanel::minimumSizeHint() const {
    return {widget()->minimumSizeHint().width() + verticalScrollBar()->sizeHint().width(),
            QScrollArea::minimumSizeHint().height()};
}

bool SamplingPanel::eventFilter(QObject* object, QEvent* event) {
    // The content needs another width, with letters of another size.
    if (object == widget() && event->type() == QEvent::LayoutRequest) updateGeometry();
    return QScrollArea::eventFilter(object, event);
}

void SamplingPanel::show(const ChatOptions& options) {
    m_showing = true;
    m_temperature->setValue(options.temperature);
    m_topP->setValue(options.topP);
    m_topK->setValue(options.topK);
    m_minP->setValue(options.minP);
    m_penalty->setValue(options.repetitionPenalty);
    m_seed->setValue(int(options.seed));
    m_maxTokens->setValue(options.maxTokens);
    m_run->setCurrentIndex(options.together ? 0 : 1);
    m_score->setChecked(options.score);
    m_continued->setChecked(options.continued);
    const bool greedy = options.temperature == 0;
    for (QWidget* drawn : std::initializer_list<QWidget*>{m_topP, m_topK, m_minP, m_seed})
        drawn->setEnabled(!greedy);
    m_note->setText(greedy ? tr("Temperature 0 is greedy: every difference comes from "
                                "quantization, not from chance.")
                           : tr("Both sides draw with the same seed; small differences of "
                                "probability can still turn into other words."));
    m_showing = false;
}

ChatOptions SamplingPanel::options() const {
    ChatOptions options = m_session.options();
    options.temperature = m_temperature->value();
    options.topP = m_topP->value();
    options.topK = m_topK->value();
    options.minP = m_minP->value();
    options.repetitionPenalty = m_penalty->value();
    options.seed = m_seed->value();
    options.maxTokens = m_maxTokens->value();
    options.together = m_run->currentData().toBool();
    options.score = m_score->isChecked();
    options.continued = m_continued->isChecked();
    return options;
}

void SamplingPanel::changed() {
    if (!m_showing) m_session.setOptions(options());
}

} // namespace bitloom::ui
