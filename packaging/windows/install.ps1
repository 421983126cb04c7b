<#
.SYNOPSIS
Installs falcon-agent as the service OpenFalconAgent, or brings an installation up to date, without a question.

.DESCRIPTION
Does what the MSI does, for those who copy files. It needs falcon-agent.exe beside it, administrator rights and PowerShell 2.0
or later. The values are written into the cfg.json that is made at a first installation; one that is there already stays as
it is. An older agent (the Python agent, windows-agent under nssm) is taken over with its configuration.

An agent that is installed is stopped, its executable is replaced, and it is started again, unless its service does not start
with the system. If the new executable does not install, the old one is put back.

Use either the MSI or this script on a host, not both.

.PARAMETER Transfer
Addresses of the transfers: HOST:PORT,HOST:PORT
.PARAMETER Hbs
Addresses of the heartbeat servers: HOST:PORT,HOST:PORT
.PARAMETER Endpoint
The name of this host for Open-Falcon; without one it is the host's name.
.PARAMETER Listen
Where pushes are taken: HOST:PORT or :PORT
.PARAMETER Interval
Seconds from one collection to the next.
.PARAMETER Tags
Tags of every metric: NAME=VALUE,NAME=VALUE
.PARAMETER NoStart
Leave the service stopped.
.PARAMETER InstallDir
Where the executable is put.
.PARAMETER DataDir
Where configuration, logs and queue are at a first installation.
.PARAMETER Uninstall
Remove the service and the executable. Configuration, logs and queue stay.

.EXAMPLE
powershell -NoProfile -ExecutionPolicy Bypass -File install.ps1 -Transfer 10.0.0.1:8433,10.0.0.2:8433 -Hbs 10.0.0.1:6030

.NOTES
Exit codes: 0 done (a service that does not start is told and is no failure), 1 failed and nothing was changed, 2 a value that
cannot be used, 5 no administrator; those of falcon-agent's own verbs otherwise.
#>
param(
    [string[]]$Transfer = @(),
    [string[]]$Hbs = @(),
    [string]$Endpoint = '',
    [string]$Listen = '',
    [string]$Interval = '',
    [string[]]$Tags = @(),
    [switch]$NoStart,
    [string]$InstallDir = '',
    [string]$DataDir = '',
    [switch]$Uninstall
)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$service = 'HKLM:\SYSTEM\CurrentControlSet\Services\OpenFalconAgent'
$names = @('falcon-agent.exe', 'cfg.example.json', 'README.md', 'LICENSE')
# Of falcon-agent upgrade.
$left = @('falcon-agent.old.exe', 'falcon-agent.new.exe', 'falcon-agent.failed.exe')

# Runs a verb; its words are shown, its exit code is the answer.
function Invoke-Agent([string]$exe, [string[]]$arguments) {
    & $exe $arguments | Out-Host
    return $LASTEXITCODE
}

$identity = [Security.Principal.WindowsIdentity]::GetCurrent()
$principal = New-Object Security.Principal.WindowsPrincipal($identity)
if (-not $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    Write-Host 'This needs administrator rights: open PowerShell with "Run as administrator" and give the command again.'
    exit 5
}

# Of a 64-bit Windows, for a PowerShell of 32 bits as well.
$programs = $env:ProgramW6432
if (-not $programs) { $programs = $env:ProgramFiles }
if (-not $InstallDir) { $InstallDir = Join-Path $programs 'falcon-agent' }
if (-not $DataDir) { $DataDir = Join-Path $env:ProgramData 'falcon-agent' }
if ($InstallDir.Length -gt 3) { $InstallDir = $InstallDir.TrimEnd('\') }
if ($DataDir.Length -gt 3) { $DataDir = $DataDir.TrimEnd('\') }

# Options of install and their values. A list without quotes is an array at a prompt, and a text for powershell -File.
$options = @(
    '--transfer', ($Transfer -join ','),
    '--hbs', ($Hbs -join ','),
    '--endpoint', $Endpoint,
    '--listen', $Listen,
    '--interval', $Interval,
    '--tags', ($Tags -join ',')
)
# What a native program is given is put in quotes where it has a blank; PowerShell escapes nothing in it.
foreach ($value in ($options + @($InstallDir, $DataDir))) {
    if ($value.Contains('"') -or $value.EndsWith('\')) {
        Write-Host "A value must not have a quotation mark in it, or a backslash at its end: $value"
        exit 2
    }
}

$here = Split-Path -Parent $MyInvocation.MyCommand.Path
$source = Join-Path $here 'falcon-agent.exe'
$target = Join-Path $InstallDir 'falcon-agent.exe'
$old = Join-Path $InstallDir 'falcon-agent.old.exe'

if ($Uninstall) {
    $exe = $target
    if (-not (Test-Path -LiteralPath $exe)) { $exe = $source }
    if (-not (Test-Path -LiteralPath $exe)) {
        Write-Host "There is no falcon-agent.exe in $InstallDir or beside this script."
        exit 1
    }
    $code = Invoke-Agent $exe @('uninstall')
    if ($code -ne 0) { exit $code }
    if ($here -ne $InstallDir) {
        foreach ($name in ($names + $left)) {
            $file = Join-Path $InstallDir $name
            if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file -Force }
        }
        if ((Test-Path -LiteralPath $InstallDir) -and -not (Get-ChildItem -LiteralPath $InstallDir -Force)) {
            Remove-Item -LiteralPath $InstallDir -Force
        }
    }
    exit 0
}

if (-not (Test-Path -LiteralPath $source)) {
    Write-Host "falcon-agent.exe is missing beside this script, in $here."
    exit 1
}

# What is registered now: this agent keeps its configuration where it is, and one that is not automatic is not started.
$image = ''
$start = 2
if (Test-Path -LiteralPath $service) {
    $properties = Get-ItemProperty -LiteralPath $service
    $image = [string]$properties.ImagePath
    if ($image -like '*falcon-agent.exe*') { $start = [int]$properties.Start }
}
$ours = $image -like '*falcon-agent.exe*'

$arguments = @('install')
if (-not $ours) { $arguments += @('-c', (Join-Path $DataDir 'cfg.json')) }
# An argument that is empty would not arrive.
for ($i = 0; $i -lt $options.Count; $i += 2) {
    if ($options[$i + 1]) { $arguments += @($options[$i], $options[$i + 1]) }
}

# Whatever it runs, the service is stopped by the new executable. One that is an older agent's is stopped by install itself.
if ($ours) { [void](Invoke-Agent $source @('stop')) }

$replaced = $false
try {
    if ($here -ne $InstallDir) {
        if (-not (Test-Path -LiteralPath $InstallDir)) { [void](New-Item -ItemType Directory -Path $InstallDir) }
        if (Test-Path -LiteralPath $target) {
            if (Test-Path -LiteralPath $old) { Remove-Item -LiteralPath $old -Force }
            Move-Item -LiteralPath $target -Destination $old
            $replaced = $true
        }
        foreach ($name in $names) {
            $file = Join-Path $here $name
            if (Test-Path -LiteralPath $file) { Copy-Item -LiteralPath $file -Destination $InstallDir -Force }
        }
    }
    $code = Invoke-Agent $target $arguments
} catch {
    Write-Host $_.Exception.Message
    $code = 1
}

if ($code -ne 0) {
    if ($replaced) {
        if (Test-Path -LiteralPath $target) { Remove-Item -LiteralPath $target -Force }
        Move-Item -LiteralPath $old -Destination $target
        Write-Host "The executable of before is back in $InstallDir."
    } elseif (($here -ne $InstallDir) -and (Test-Path -LiteralPath $target)) {
        Remove-Item -LiteralPath $target -Force
    }
    if ($ours -and ($start -eq 2)) {
        $exe = $source
        if (Test-Path -LiteralPath $target) { $exe = $target }
        [void](Invoke-Agent $exe @('start'))
    }
    exit $code
}
if ($replaced) { Remove-Item -LiteralPath $old -Force }

if ($NoStart -or ($start -ne 2)) { exit 0 }
$code = Invoke-Agent $target @('start')
if ($code -ne 0) { Write-Host 'The service is installed and does not run yet: see logs\agent.log beside its cfg.json.' }
exit 0
