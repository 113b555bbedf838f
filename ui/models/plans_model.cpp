// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/plans_model.h"

#include "ui/models/metric_help.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/theme/theme.h"

#include <QGuiApplication>

#include <algorithm>
#include <cmath>
#include <set>

namespace bitloom::ui {

PlansModel::PlansModel(Workbench& workbench, QObject* parent)
    : QAbstractTableModel(parent), m_workbench(workbench) {
    rebuild();
    const auto again = [this] {
        beginResetModel();
        rebuild();
        endResetModel();
    };
    for (auto signal :
         {&Workbench::modelChanged, &Workbench::presetsChanged, &Workbench::summariesChanged,
          &Workbench::measurementsChanged, &Workbench::planSettled})
        connect(&workbench, signal, this, again);
    connect(&workbench, &Workbench::planChanged, this, &PlansModel::updateCurrent);
    connect(&workbench.jobs(), &JobList::changed, this, [this](int) {
        if (const int row = currentRow(); row >= 0)
            emit dataChanged(index(row, Measured), index(row, Measured));
    });
}

PlansModel::Row PlansModel::currentNow() const {
    Row row;
    row.current = row.known = true;
    const QString preset = m_workbench.currentPreset();
    row.name = tr("This plan");
    row.preset = preset;
    const PlanFigures& figures = m_workbench.figures();
    row.bits = figures.bitsPerWeight;
    row.bytes = figures.size.totalBytes;
    row.prediction = figures.prediction;
    if (const Measurement* m = m_workbench.measurementOfPlan()) setMeasured(row, m->planHash);
    return row;
}

void PlansModel::setMeasured(Row& row, const std::string& hash) const {
    if (hash.empty()) return;
    const auto& all = m_workbench.measurements();
    for (auto m = all.rbegin(); m != all.rend(); ++m) {
        if (m->planHash != hash) continue;
        row.measuredNll = m->nll;
        row.measuredError = m->standardError;
        row.predictedThen = m->predictedNll;
        row.measuredOn = m->text;
        row.tokens = m->tokens;
        return;
    }
}

void PlansModel::rebuild() {
    m_rows.clear();
    if (!m_workbench.hasPlan()) return;
    Row fp;
    fp.name = QStringLiteral("FP16");
    fp.fp16 = fp.known = true;
    fp.bits = 16;
    fp.bytes = m_workbench.model()->fp16Bytes;
    const Workbench::Reference reference = m_workbench.reference();
    fp.measuredNll = reference.nll;
    fp.measuredError = reference.standardError;
    fp.measuredOn = reference.text;
    m_rows.push_back(fp);
    std::set<std::string> shown;
    const QString current = m_workbench.currentPreset();
    for (const Preset& preset : m_workbench.presets()) {
        Row row;
        row.name = row.preset = preset.name;
        row.builtIn = preset.builtIn;
        if (preset.name == current) {
            row = currentNow();
            row.name = preset.name;
            row.builtIn = preset.builtIn;
            if (const Measurement* m = m_workbench.measurementOfPlan()) shown.insert(m->planHash);
        } else {
            const PlanSummary summary = m_workbench.summary(preset);
            row.known = summary.valid;
            row.error = summary.error;
            row.bits = summary.valid ? summary.bitsPerWeight : preset.decision.budget.value;
            row.bytes = summary.bytes;
            row.prediction = summary.prediction;
            setMeasured(row, summary.hash);
            shown.insert(summary.hash);
        }
        m_rows.push_back(row);
    }
    if (current.isEmpty()) {
        m_rows.push_back(currentNow());
        if (const Measurement* m = m_workbench.measurementOfPlan()) shown.insert(m->planHash);
    }
    for (const Measurement& m : m_workbench.measurements()) {
        if (m.planHash.empty() || shown.contains(m.planHash)) continue;
        Row row;
        row.name = m.plan;
        row.known = true;
        row.bits = m.bitsPerWeight;
        row.bytes = m.bytes;
        row.prediction = m_workbench.predict(m.distortion, m.bitsPerWeight);
        setMeasured(row, m.planHash);
        m_rows.push_back(row);
    }
    std::ranges::stable_sort(m_rows, [](const Row& a, const Row& b) { return a.bits > b.bits; });
}

void PlansModel::updateCurrent() {
    const int row = currentRow();
    if (row < 0) return;
    if (m_rows[size_t(row)].name != tr("This plan")) {
        // A preset was left: its own row stays, and the plan gets one of its own.
        beginResetModel();
        rebuild();
        endResetModel();
        return;
    }
    m_rows[size_t(row)] = currentNow();
    emit dataChanged(index(row, 0), index(row, ColumnCount - 1));
}

int PlansModel::rowOfPreset(const QString& name) const {
    const auto found = std::ranges::find(m_rows, name, &Row::preset);
    return found == m_rows.end() || name.isEmpty() ? -1 : int(found - m_rows.begin());
}

int PlansModel::currentRow() const {
    const auto found = std::ranges::find(m_rows, true, &Row::current);
    return found == m_rows.end() ? -1 : int(found - m_rows.begin());
}

int PlansModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(m_rows.size());
}

int PlansModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QString PlansModel::text(const Row& row, Column column) const {
    const QString none = QStringLiteral("–");
    switch (column) {
    case Plan:
        return row.name;
    case Bits:
        return row.known ? fixedText(row.bits, 2) : none;
    case Size:
        return row.known && row.bytes > 0 ? bytesText(QLocale(), double(row.bytes)) : none;
    case Predicted:
        if (row.fp16 || !row.known) return none;
        return row.prediction.nll > 0
                   ? perplexityText(row.prediction.nll)
                   : isolated(
                         tr("+%1 %").arg(fixedText(100 * std::expm1(row.prediction.deltaNll), 1)));
    case Measured: {
        if (!(row.measuredNll > 0)) return none;
        const double ppl = std::exp(row.measuredNll);
        const QString value = perplexityText(row.measuredNll);
        return row.measuredError > 0
                   ? isolated(tr("%1 ± %2").arg(
                         value, fixedText(ppl * row.measuredError, ppl < 100 ? 2 : 1)))
                   : value;
    }
    case OffBy:
        if (row.fp16 || !(row.measuredNll > 0) || !(row.predictedThen > 0)) return none;
        return isolated(
            tr("%1 %").arg(signedText(100 * std::expm1(row.measuredNll - row.predictedThen), 1)));
    case ColumnCount:
        break;
    }
    return {};
}

QVariant PlansModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const Row& row = m_rows[size_t(index.row())];
    const auto column = Column(index.column());
    switch (role) {
    case Qt::DisplayRole:
        return text(row, column);
    case Qt::TextAlignmentRole:
        return int((column == Plan ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    case Qt::FontRole:
        return row.current && column == Plan ? QVariant(headingFont()) : QVariant();
    case Qt::ForegroundRole:
        if (!row.known) return PlotTheme::of(QGuiApplication::palette()).secondary;
        return {};
    case Qt::ToolTipRole:
        if (!row.error.isEmpty()) return row.error;
        if (column == Measured && row.measuredNll > 0)
            return row.tokens > 0
                       ? tr("Measured on %1, %2 tokens")
                             .arg(row.measuredOn, QLocale().toString(qlonglong(row.tokens)))
                       : tr("Measured on %1").arg(row.measuredOn);
        if (column == Predicted && !row.fp16 && row.prediction.nll > 0) {
            const double fp = row.prediction.nll - row.prediction.deltaNll;
            return tr("Expected between %1 and %2, on %3")
                .arg(perplexityText(fp + row.prediction.low),
                     perplexityText(fp + row.prediction.high), m_workbench.reference().text);
        }
        if (column == OffBy) return tr("Measured perplexity over the predicted one");
        return {};
    case CurrentRole:
        return row.current;
    case PresetRole:
        return row.preset;
    case BuiltInRole:
        return row.builtIn;
    case ProgressRole: {
        if (column != Measured || !row.current) return -1.0;
        for (const Job& job : m_workbench.jobs().jobs())
            if (job.active() && job.kind == QLatin1String("measure")) return job.fraction;
        return -1.0;
    }
    case SortRole:
        switch (column) {
        case Plan:
            return row.name;
        case Bits:
            return row.bits;
        case Size:
            return double(row.bytes);
        case Predicted:
            return row.prediction.deltaNll;
        case Measured:
            return row.measuredNll;
        default:
            return row.measuredNll - row.predictedThen;
        }
    default:
        return {};
    }
}

QVariant PlansModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole)
        return int((section == Plan ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (role == Qt::WhatsThisRole) {
        switch (section) {
        case Bits:
            return figureHelp(Figure::BitsPerWeight);
        case Size:
            return figureHelp(Figure::Size);
        case Predicted:
            return figureHelp(Figure::Predicted);
        case Measured:
            return figureHelp(Figure::Measured);
        case OffBy:
            return figureHelp(Figure::OffBy);
        default:
            return {};
        }
    }
    if (role != Qt::DisplayRole) return {};
    switch (section) {
    case Plan:
        return tr("Plan");
    case Bits:
        return tr("Bits");
    case Size:
        return tr("Size");
    case Predicted:
        return tr("○ Predicted");
    case Measured:
        return tr("● Measured");
    case OffBy:
        return tr("Off by");
    default:
        return {};
    }
}

} // namespace bitloom::ui
