// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/budget_bar.h"

#include "ui/models/metric_help.h"
#include "ui/models/texts.h"
#include "ui/state/settings.h"
#include "ui/theme/theme.h"
#include "ui/window/budget_slider.h"
#include "ui/window/figure_label.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QVBoxLayout>

#include <cmath>

namespace bitloom::ui {

namespace {

/// On the panel colour with a hairline below, unlike other tool bars.
class Strip : public QWidget {
public:
    using QWidget::QWidget;

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        const PlotTheme theme = PlotTheme::of(palette());
        painter.fillRect(rect(), theme.panel);
        painter.fillRect(QRect(0, 0, width(), 1), theme.separator);
        painter.fillRect(QRect(0, height() - 1, width(), 1), theme.separator);
    }
};

/// "≈ 31.4", "≈ 4 890": three digits are all that a prediction has.
QString speedText(double tokensPerSecond) {
    const int digits = tokensPerSecond < 10 ? 2 : tokensPerSecond < 100 ? 1 : 0;
    const double step = tokensPerSecond < 1000 ? std::pow(10.0, -digits) : 10;
    return isolated(QStringLiteral("≈ ") %
                    fixedText(std::round(tokensPerSecond / step) * step, digits));
}

QString bitsWord(double bits) {
    return BudgetBar::tr("%1 bits").arg(fixedText(bits, 2));
}

} // namespace

BudgetBar::BudgetBar(Workbench& workbench, QWidget* parent)
    : QToolBar(tr("Budget"), parent), m_workbench(workbench) {
    setObjectName(QStringLiteral("budgetBar"));
    setMovable(false);
    setFloatable(false);
    toggleViewAction()->setEnabled(false);
    setContentsMargins(0, 0, 0, 0);
    if (layout()) layout()->setContentsMargins(0, 0, 0, 0);

    auto* strip = new Strip(this);
    auto* row = new QHBoxLayout(strip);
    row->setContentsMargins(16, 8, 16, 8);
    row->setSpacing(24);

    auto* unitColumn = new QVBoxLayout;
    unitColumn->setSpacing(4);
    QLabel* title = headingLabel(tr("&Budget"));
    m_unit = new QComboBox;
    m_unit->setObjectName(QStringLiteral("budgetUnit"));
    m_unit->setAccessibleName(tr("Unit of the budget"));
    m_unit->setWhatsThis(tr("What the budget limits: stored bits per weight of the block linears "
                            "with all overhead, bytes of the whole folder, or the increase of the "
                            "predicted perplexity over FP16."));
    m_unit->addItem(tr("bits/weight"), int(Budget::Kind::Bits));
    m_unit->addItem(tr("size"), int(Budget::Kind::Size));
    m_unit->addItem(tr("perplexity"), int(Budget::Kind::Perplexity));
    title->setBuddy(m_unit);
    unitColumn->addStretch();
    unitColumn->addWidget(title);
    unitColumn->addWidget(m_unit);
    unitColumn->addStretch();
    row->addLayout(unitColumn);

    m_slider = new BudgetSlider;
    m_slider->setObjectName(QStringLiteral("budgetSlider"));
    m_slider->setAccessibleName(tr("Budget"));
    m_slider->setWhatsThis(tr("Drag: every channel gets the width that its share of the budget is "
                              "worth, at once. The ends are the least and the most that this model "
                              "can be given under its pins."));
    row->addWidget(m_slider, 3);

    m_value = new QDoubleSpinBox;
    m_value->setObjectName(QStringLiteral("budgetValue"));
    m_value->setAccessibleName(tr("Exact budget"));
    m_value->setAlignment(Qt::AlignRight);
    m_value->setKeyboardTracking(false);
    m_value->setMinimumWidth(96);
    row->addWidget(m_value);

    m_figures = new QWidget;
    auto* figures = new QHBoxLayout(m_figures);
    figures->setContentsMargins(0, 0, 0, 0);
    figures->setSpacing(24);
    m_bits = new FigureLabel(tr("Bits per weight"));
    m_bits->setObjectName(QStringLiteral("figureBits"));
    m_bits->setWhatsThis(figureHelp(Figure::BitsPerWeight));
    m_size = new FigureLabel(tr("Size"));
    m_size->setObjectName(QStringLiteral("figureSize"));
    m_size->setWhatsThis(figureHelp(Figure::Size));
    m_ppl = new FigureLabel(tr("Perplexity"));
    m_ppl->setObjectName(QStringLiteral("figurePerplexity"));
    m_ppl->setWhatsThis(figureHelp(Figure::Predicted) % figureHelp(Figure::Measured));
    m_bits->setSamples(QStringLiteral("8.00"), tr("bits"),
                       tr("+0.20 since grab") + QStringLiteral("000"));
    m_size->setSamples(QStringLiteral("888.88 MiB"), tr("(88 % of FP16)"),
                       tr("8 888 888 888 bytes, exact"));
    m_ppl->setSamples(tr("ppl ≈ 88.88"), tr("± 8.88 (FP16 88.88)"),
                      tr("−0.21 predicted on calibration.txt"));
    m_speed = new FigureLabel(tr("Speed"));
    m_speed->setObjectName(QStringLiteral("figureSpeed"));
    m_speed->setWhatsThis(tr("Tokens generated per second, one text at a time, on the engine's "
                             "processor: the sum of the times of all matrices at their widths, "
                             "measured once on that machine."));
    m_speed->setSamples(tr("≈ 8 888"), tr("tokens/s"), tr("+88.8 since grab"));
    for (FigureLabel* label : {m_bits, m_size, m_ppl, m_speed})
        figures->addWidget(label);
    row->addWidget(m_figures);
    m_hint = captionLabel({});
    m_hint->setObjectName(QStringLiteral("budgetHint"));
    m_hint->setWordWrap(true);
    m_hint->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    row->addWidget(m_hint, 2);
    addWidget(strip);

    connect(m_slider, &QSlider::sliderPressed, &m_workbench, &Workbench::beginDrag);
    connect(m_slider, &QSlider::sliderReleased, &m_workbench, &Workbench::endDrag);
    connect(m_slider, &BudgetSlider::moved, this, [this](double value) {
        if (!m_updating) m_workbench.requestBudget({kind(), value}, m_slider->isSliderDown());
    });
    connect(m_value, &QDoubleSpinBox::valueChanged, this, [this] {
        if (!m_updating) typed();
    });
    connect(m_unit, &QComboBox::activated, this, [this] {
        // The same plan in the new unit: from here on this is what is held.
        const Budget::Kind unit = kind();
        m_bySpeed = unit == Budget::Kind::Speed;
        if (m_workbench.hasPlan() && !m_bySpeed)
            m_workbench.requestBudget({unit, m_workbench.valueOf(unit)});
        updateRange();
    });

    m_fade.setSingleShot(true);
    m_fade.setInterval(4000);
    connect(&m_fade, &QTimer::timeout, this, [this] { updateCaptions(false); });
    connect(&workbench, &Workbench::phaseChanged, this, &BudgetBar::updatePhase);
    connect(&workbench, &Workbench::rangeChanged, this, &BudgetBar::updateRange);
    connect(&workbench, &Workbench::decisionChanged, this, [this] {
        if (kind() != shownKind()) updateRange();
    });
    connect(&workbench, &Workbench::planChanged, this, &BudgetBar::updateFigures);
    connect(&workbench, &Workbench::planSettled, this, [this] {
        updateFigures();
        if (!m_fade.isActive() && !m_workbench.dragging()) updateCaptions(false);
    });
    connect(&workbench, &Workbench::measurementsChanged, this, &BudgetBar::updateFigures);
    connect(&workbench, &Workbench::dragChanged, this, [this] {
        if (m_workbench.dragging())
            m_fade.stop();
        else
            m_fade.start();
        updateFigures();
    });
    updatePhase();
}

Budget::Kind BudgetBar::kind() const {
    return Budget::Kind(m_unit->currentData().toInt());
}

Budget::Kind BudgetBar::shownKind() const {
    const Budget::Kind kind = m_workbench.decision().budget.kind;
    return m_bySpeed && m_workbench.speedTable() && kind == Budget::Kind::Bits ? Budget::Kind::Speed
                                                                               : kind;
}

void BudgetBar::updatePhase() {
    const bool live = m_workbench.hasPlan();
    for (QWidget* widget : {static_cast<QWidget*>(m_unit), static_cast<QWidget*>(m_slider),
                            static_cast<QWidget*>(m_value)})
        widget->setEnabled(live);
    m_value->setVisible(live);
    m_figures->setVisible(live);
    m_hint->setVisible(!live);
    switch (m_workbench.phase()) {
    case Workbench::Phase::Opening:
        m_hint->setText(tr("Opening the model…"));
        break;
    case Workbench::Phase::Headers:
        m_hint->setText(tr("Analyze the model once to see its exact size and expected perplexity "
                           "at every budget."));
        break;
    case Workbench::Phase::Partial:
        m_hint->setText(tr("The analysis is not finished. Budgets follow when it is."));
        break;
    default:
        m_hint->setText(tr("Open a model to see its exact size and expected perplexity here."));
    }
    if (live) {
        updateRange();
        updateFigures();
        updateCaptions(false);
    }
}

void BudgetBar::updateRange() {
    if (!m_workbench.hasPlan()) return;
    m_updating = true;
    const Budget::Kind unit = shownKind();
    const int speed = m_unit->findData(int(Budget::Kind::Speed));
    if (m_workbench.speedTable() && speed < 0)
        m_unit->addItem(tr("tokens/s"), int(Budget::Kind::Speed));
    if (!m_workbench.speedTable() && speed >= 0) m_unit->removeItem(speed);
    m_unit->setCurrentIndex(m_unit->findData(int(unit)));
    auto [low, high] = m_workbench.range(unit);
    switch (unit) {
    case Budget::Kind::Bits:
        m_value->setDecimals(2);
        m_value->setSuffix({});
        m_value->setSingleStep(0.05);
        m_value->setRange(0.01, 16);
        m_slider->setScale(low, high, 0.01, false, [low, high](double v) {
            return v == low || v == high ? fixedText(v, 2) : QLocale().toString(v, 'g', 3);
        });
        break;
    case Budget::Kind::Size: {
        // In a unit of which the range is some hundreds of hundredths.
        static constexpr std::pair<double, const char*> units[] = {
            {1 << 10, "KiB"}, {1 << 20, "MiB"}, {1 << 30, "GiB"}};
        auto chosen = units[0];
        for (const auto& candidate : units)
            if (high / candidate.first >= 1) chosen = candidate;
        m_sizeUnit = chosen.first;
        const QString name = QString::fromLatin1(chosen.second);
        m_value->setDecimals(3);
        m_value->setSuffix(QChar(0x00A0) % name);
        m_value->setSingleStep(0.01 * std::max(1.0, std::round((high - low) / m_sizeUnit)));
        m_value->setRange(0.001, 1e7);
        const double bytes = m_sizeUnit;
        m_slider->setScale(
            low, high, m_sizeUnit * 0.001, false,
            [low, high, bytes](double v) {
                return v == low || v == high ? fixedText(v / bytes, 2)
                                             : QLocale().toString(v / bytes, 'g', 3);
            },
            m_sizeUnit);
        break;
    }
    case Budget::Kind::Speed:
        m_value->setDecimals(high < 100 ? 2 : 0);
        m_value->setSuffix({});
        m_value->setSingleStep(std::max(0.01, (high - low) / 100));
        m_value->setRange(0.01, 1e7);
        m_slider->setScale(low, high, std::max((high - low) / 10'000, 1e-6), true,
                           [](double v) { return QLocale().toString(v, 'g', 3); });
        break;
    case Budget::Kind::Perplexity:
        m_value->setDecimals(2);
        m_value->setSuffix(QChar(0x00A0) % QLatin1Char('%'));
        m_value->setSingleStep(0.1);
        m_value->setRange(0, 1e6);
        // A string, not a builder: that would refer to parts that are gone when it is read.
        m_slider->setScale(std::max(low, 1e-5), high, 1e-5, true, [](double v) -> QString {
            return QLatin1Char('+') % QLocale().toString(v * 100, 'g', 3) % QChar(0x00A0) %
                   QLatin1Char('%');
        });
        break;
    }
    m_updating = false;
    updateFigures();
}

void BudgetBar::updateFigures() {
    if (!m_workbench.hasPlan()) return;
    const PlanFigures& f = m_workbench.figures();
    const Budget& budget = m_workbench.decision().budget;
    m_updating = true;
    // The handle stays under the finger, also where the nearest plan lies a little below.
    const Budget::Kind unit = shownKind();
    const double held = m_workbench.decision().uniformBits || unit == Budget::Kind::Speed
                            ? m_workbench.valueOf(unit)
                            : budget.value;
    if (!m_slider->isSliderDown()) m_slider->setRealValue(held);
    const double shown = unit == Budget::Kind::Size         ? held / m_sizeUnit
                         : unit == Budget::Kind::Perplexity ? held * 100
                                                            : held;
    if (!m_value->hasFocus() || std::abs(m_value->value() - shown) > 0.0005)
        m_value->setValue(shown);
    m_updating = false;

    m_bits->setFigure(fixedText(f.bitsPerWeight, 2), tr("bits"));
    const double fp16 = double(m_workbench.model()->fp16Bytes);
    m_size->setFigure(
        bytesText(QLocale(), double(f.size.totalBytes)),
        fp16 > 0 ? tr("(%1 % of FP16)")
                       .arg(QLocale().toString(std::round(100 * double(f.size.totalBytes) / fp16)))
                 : QString());
    const Prediction& p = f.prediction;
    if (const Measurement* m = m_workbench.measurementOfPlan()) {
        const double ppl = std::exp(m->nll);
        m_ppl->setFigure(tr("ppl %1").arg(perplexityText(m->nll)),
                         tr("± %1 (FP16 %2)")
                             .arg(perplexityErrorText(ppl * m->standardError, m->nll),
                                  perplexityText(m->fp16Nll)));
    } else if (p.nll > 0) {
        const double fp = p.nll - p.deltaNll;
        const double half = 0.5 * (std::exp(fp + p.high) - std::exp(fp + p.low));
        m_ppl->setFigure(
            tr("ppl ≈ %1").arg(perplexityText(p.nll)),
            tr("± %1 (FP16 %2)").arg(perplexityErrorText(half, p.nll), perplexityText(fp)));
    } else {
        m_ppl->setFigure(tr("ppl +%1 %").arg(fixedText(100 * std::expm1(p.deltaNll), 1)),
                         tr("over FP16"));
    }
    m_speed->setVisible(f.tokensPerSecond > 0);
    if (f.tokensPerSecond > 0) m_speed->setFigure(speedText(f.tokensPerSecond), tr("tokens/s"));
    updateCaptions(m_workbench.dragging() || m_fade.isActive());
}

void BudgetBar::updateCaptions(bool dragging) {
    if (!m_workbench.hasPlan()) return;
    const PlanFigures& f = m_workbench.figures();
    const QString includes = tr("all overhead counted");
    const QString bytes =
        f.sizeExact ? tr("%1 bytes, exact").arg(QLocale().toString(qlonglong(f.size.totalBytes)))
                    : tr("%1 bytes").arg(QLocale().toString(qlonglong(f.size.totalBytes)));
    const Measurement* measured = m_workbench.measurementOfPlan();
    const QString on = m_workbench.reference().text;
    const QString basis = measured
                              ? tr("measured on %1, predicted %2")
                                    .arg(measured->text, perplexityText(measured->predictedNll))
                              : tr("predicted on %1").arg(on);
    const auto& before = m_workbench.grabbed();
    if (dragging && before) {
        const auto ppl = [](const PlanFigures& figures) {
            return std::exp(figures.prediction.nll);
        };
        m_bits->setCaption(tr("since grab"),
                           signedText(f.bitsPerWeight - before->bitsPerWeight, 2));
        m_size->setCaption({},
                           signedBytesText(double(f.size.totalBytes - before->size.totalBytes)));
        m_ppl->setCaption(basis,
                          f.prediction.nll > 0 ? signedText(ppl(f) - ppl(*before), 2) : QString());
        m_speed->setCaption({}, signedText(f.tokensPerSecond - before->tokensPerSecond,
                                           f.tokensPerSecond < 100 ? 1 : 0));
        return;
    }
    const bool animate = !m_workbench.settings().reducedMotion() && isVisible();
    m_bits->fadeChange(includes, animate);
    m_size->fadeChange(bytes, animate);
    m_ppl->fadeChange(basis, animate);
    if (const SpeedTable* table = m_workbench.speedTable())
        m_speed->fadeChange(tr("predicted, %n thread(s)", nullptr, table->threads), animate);
    for (FigureLabel* label : {m_bits, m_size, m_ppl, m_speed})
        label->setAccessibleDescription(label->plainText());
}

void BudgetBar::typed() {
    const Budget::Kind unit = kind();
    const double wanted = unit == Budget::Kind::Size         ? m_value->value() * m_sizeUnit
                          : unit == Budget::Kind::Perplexity ? m_value->value() / 100
                                                             : m_value->value();
    const double given = m_workbench.requestBudget({unit, wanted});
    if (std::abs(given - wanted) <=
        1e-9 * std::abs(wanted) + 5e-4 * (unit == Budget::Kind::Size ? m_sizeUnit : 0.01))
        return;
    const QString cause = m_workbench.decision().activePins().empty()
                              ? tr("for this model")
                              : tr("under the present pins");
    QString nearest;
    switch (unit) {
    case Budget::Kind::Bits:
        nearest = bitsWord(given);
        break;
    case Budget::Kind::Size:
        nearest = bytesText(QLocale(), given);
        break;
    case Budget::Kind::Speed:
        nearest = tr("%1 tokens/s").arg(QLocale().toString(given, 'g', 3));
        break;
    case Budget::Kind::Perplexity:
        nearest = tr("+%1 %").arg(fixedText(given * 100, 2));
        break;
    }
    emit m_workbench.message(tr("%1 is not possible %2. The nearest possible budget, %3, is set.")
                                 .arg(m_value->text(), cause, nearest));
    updateFigures();
}

void BudgetBar::step(double bits) {
    if (!m_workbench.hasPlan()) return;
    const Budget now{Budget::Kind::Bits, m_workbench.valueOf(Budget::Kind::Bits)};
    const Decision& decision = m_workbench.decision();
    const double from = decision.budget.kind == Budget::Kind::Bits && !decision.uniformBits
                            ? decision.budget.value
                            : now.value;
    m_workbench.requestBudget({Budget::Kind::Bits, std::round((from + bits) * 100) / 100});
}

void BudgetBar::focusValue() {
    m_value->setFocus(Qt::ShortcutFocusReason);
    m_value->selectAll();
}

QString BudgetBar::sentence() const {
    QStringList parts{m_bits->plainText(), m_size->plainText(), m_ppl->plainText()};
    if (m_workbench.figures().tokensPerSecond > 0) parts.append(m_speed->plainText());
    return parts.join(QStringLiteral(" · "));
}

} // namespace bitloom::ui
